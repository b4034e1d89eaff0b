import { expect, test } from 'vitest'
import { ExpectedHints } from './expected-hints.js'
import { Hints } from './hints.js'
import { RESCAN_MS, RescanSchedule } from './rescan-schedule.js'

test('hints are handed out after a moment of quiet, many for one directory as one', () => {
  const hints = new Hints()
  expect(hints.dueInMs(0)).toBeUndefined()
  hints.add('d', false, 100)
  hints.add('d', true, 103)
  expect(hints.dueInMs(103)).toBeGreaterThan(0)
  expect(hints.dueInMs(103)).toBeLessThanOrEqual(10)
  expect(hints.dueInMs(113)).toBe(0)
  expect([...hints.take().directories]).toEqual([['d', true]])
  expect(hints.isEmpty).toBe(true)
})

test('hints that never pause are handed out after 50 ms all the same', () => {
  const hints = new Hints()
  for (let now = 0; now <= 50; now += 2) hints.add('d', false, now)
  expect(hints.dueInMs(50)).toBe(0)
})

test('hints that could not be used come back', () => {
  const hints = new Hints()
  hints.addFull(0)
  hints.add('d', true, 0)
  const taken = hints.take()
  hints.add('e', false, 1)
  hints.restore(taken, 2)
  const again = hints.take()
  expect(again.isFull).toBe(true)
  expect([...again.directories.keys()].sort()).toEqual(['d', 'e'])
})

test('a hint that our own effect caused is put off, not lost', () => {
  const expected = new ExpectedHints()
  expect(expected.takes('d', 0)).toBe(false)
  expected.expect(['d'])
  expect(expected.takes('d', 10_000)).toBe(true)
  expect(expected.due(10_000)).toEqual([])
  expected.passEnded(10_000)
  expect(expected.takes('d', 10_050)).toBe(true)
  expect(expected.takes('other', 10_050)).toBe(false)
  expect(expected.due(10_200)).toEqual(['d'])
  expect(expected.takes('d', 10_200)).toBe(false)
})

test('a hint is put off for what happens in its own directory alone', () => {
  const expected = new ExpectedHints()
  expected.expect(['d'])
  expected.passEnded(0)
  expect(expected.takes('d', 10)).toBe(true)
  expected.expect(['e'])
  expected.passEnded(90)
  expect(expected.takes('e', 95)).toBe(true)
  expect(expected.dueInMs(95)).toBe(6)
  expect(expected.due(101)).toEqual(['d'])
  expect(expected.hasLate).toBe(true)
  expect(expected.due(191)).toEqual(['e'])
  expect(expected.dueInMs(191)).toBeUndefined()
})

test('a hint from a directory into which others write all the time is put off for five seconds', () => {
  const expected = new ExpectedHints()
  const found: number[] = []
  for (let now = 0; now < 12_000; now += 50) {
    expected.expect(['d'])
    expected.passEnded(now)
    expect(expected.takes('d', now)).toBe(true)
    expect(expected.dueInMs(now)).toBeLessThanOrEqual(101)
    if (expected.due(now).length > 0) found.push(now)
  }
  expect(found).toEqual([5_000, 10_050])
})

test('everything is scanned once an hour, and after the machine slept', () => {
  const schedule = new RescanSchedule(RESCAN_MS, 0)
  expect(schedule.isDue(1_000_000, 0)).toBe(false)
  expect(schedule.isDue(1_000_000 + 60_000, 60_000)).toBe(false)
  expect(schedule.isDue(1_000_000 + 180_000, 61_000)).toBe(true)
  expect(schedule.isDue(1_000_000 + 180_000, 61_000)).toBe(false)
  schedule.scanned(61_000)
  expect(schedule.isDue(1_000_000 + 180_000 + RESCAN_MS, 61_000 + RESCAN_MS)).toBe(true)
})
