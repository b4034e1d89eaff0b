import { expect, test } from 'vitest'
import { RemotePace } from '../remote-pace.js'
import { ABSENT_MS, Absences } from './absences.js'
import { Retries } from './retries.js'

test('what is missing is overdue after a second, and forgotten when its directory shows it again', () => {
  const absences = new Absences()
  const missed = new Map([['a', 'd']])
  absences.update(missed, () => true, 0)
  expect(absences.isOverdue('a', ABSENT_MS - 1)).toBe(false)
  expect(absences.nextAfter(0)).toBe(ABSENT_MS)
  expect([...absences.directoriesDue(ABSENT_MS)]).toEqual(['d'])
  absences.update(new Map(), (directory) => directory !== 'd', ABSENT_MS)
  expect(absences.isOverdue('a', ABSENT_MS)).toBe(true)
  absences.update(new Map(), () => true, ABSENT_MS)
  expect(absences.isOverdue('a', ABSENT_MS)).toBe(false)
})

test('a file that changes while it is read is read again after 1, 2, 4 … 60 s', () => {
  const retries = new Retries()
  let now = 0
  const waits: number[] = []
  for (let i = 0; i < 8; i++) {
    retries.failed('f', now, true)
    expect(retries.mustWait('f', now)).toBe(true)
    waits.push(retries.nextMs! - now)
    now = retries.nextMs!
    expect(retries.takeDue(now).due).toEqual(['f'])
    expect(retries.mustWait('f', now)).toBe(false)
  }
  expect(waits).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000])
  expect(retries.succeeded('f')).toBe(true)
  expect(retries.nextMs).toBeUndefined()
})

test('a file that was due and never heard of again is forgotten', () => {
  const retries = new Retries()
  retries.failed('f', 0, true)
  expect(retries.takeDue(1_000)).toEqual({ due: ['f'], over: [] })
  expect(retries.changing).toBe(0)
  expect(retries.takeDue(retries.nextMs!)).toEqual({ due: [], over: ['f'] })
  expect(retries.nextMs).toBeUndefined()
})

test('a remote pass that had to give way before may go on longer', () => {
  const pace = new RemotePace()
  pace.started(0)
  const first = pace.patienceMs(0)
  pace.interrupted()
  pace.started(0)
  expect(pace.patienceMs(0)).toBe(2 * first)
  pace.ended({ applied: 1, deferred: 0, rescan: 0 }, 0)
  pace.started(0)
  expect(pace.patienceMs(0)).toBe(first)
})

test('what cannot be applied asks for a scan at once, and for one when stamps have come of age, then only tries again, ever more rarely', () => {
  const pace = new RemotePace()
  const stuck = { applied: 0, deferred: 1, rescan: 1 }
  expect([pace.ended(stuck, 0), pace.ended(stuck, 0)]).toEqual([true, false])
  expect(pace.dueInMs(0)).toBe(2_000)
  expect([pace.ended(stuck, 3_000), pace.ended(stuck, 3_000)]).toEqual([true, false])
  expect(pace.dueInMs(3_000)).toBe(8_000)
})

test('nothing applied by three passes in a row is stuck, until something is, or a peer comes', () => {
  const pace = new RemotePace()
  const stuck = { applied: 0, deferred: 1, rescan: 0 }
  for (let pass = 0; pass < 2; pass++) pace.ended(stuck, 0)
  expect(pace.isStuck).toBe(false)
  pace.ended(stuck, 0)
  expect(pace.isStuck).toBe(true)
  pace.ended({ ...stuck, applied: 1 }, 0)
  expect(pace.isStuck).toBe(false)
  for (let pass = 0; pass < 3; pass++) pace.ended(stuck, 0)
  pace.resumed()
  expect(pace.isStuck).toBe(false)
})
