import { expect, test } from 'vitest'
import { Rounds } from './rounds.js'

const hinted = (...directories: string[]) => ({
  isFull: false,
  directories: new Map(directories.map((directory) => [directory, false])),
})

test('what each pass asks for again waits longer and longer, up to a minute; others do not', () => {
  const rounds = new Rounds()
  let nowMs = 0
  for (let i = 0; i < 10; i++) {
    expect([...rounds.ended(new Map([['d', true]]), hinted('d'), nowMs)]).toEqual([['d', true]])
    expect(rounds.nextMs).toBeUndefined()
  }
  for (const waitMs of [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]) {
    const again = new Map([
      ['d', true],
      [`e${nowMs}`, false],
    ])
    expect([...rounds.ended(again, hinted('d'), nowMs).keys()]).toEqual([`e${nowMs}`])
    rounds.ended(new Map(), hinted(`e${nowMs}`), nowMs)
    expect(rounds.takeDue(nowMs + waitMs - 1)).toEqual(new Map())
    expect(rounds.waiting).toBe(1)
    nowMs += waitMs
    expect(rounds.nextMs).toBe(nowMs)
    expect([...rounds.takeDue(nowMs)]).toEqual([['d', true]])
    expect(rounds.waiting).toBe(0)
    expect(rounds.nextMs).toBeUndefined()
  }
  rounds.ended(new Map(), hinted('d'), nowMs)
  expect([...rounds.ended(new Map([['d', false]]), hinted('d'), nowMs)]).toEqual([['d', false]])
})
