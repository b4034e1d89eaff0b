import { expect, test } from 'vitest'
import type { Timers } from './ports/clock.js'
import { RoundPatience } from './round-patience.js'

class Time implements Timers {
  nowMs = 0
  #due: { atMs: number; fn: () => void } | undefined

  monotonicMs(): number {
    return this.nowMs
  }

  after(delayMs: number, fn: () => void): () => void {
    this.#due = { atMs: this.nowMs + delayMs, fn }
    return () => {
      this.#due = undefined
    }
  }

  pass(ms: number): void {
    this.nowMs += ms
    if (!this.#due || this.#due.atMs > this.nowMs) return
    const { fn } = this.#due
    this.#due = undefined
    fn()
  }
}

function patient(isWhole = false) {
  const time = new Time()
  const state = { isWhole, over: 0 }
  const patience = new RoundPatience(
    time,
    () => state.isWhole,
    () => state.over++,
  )
  return { time, state, patience }
}

test('a round of which nothing more comes is waited for two seconds', () => {
  const { time, state, patience } = patient()
  time.pass(1_999)
  expect(patience.isOver).toBe(false)
  time.pass(1)
  expect([patience.isOver, state.over]).toEqual([true, 1])
})

test('while something comes it goes on, thirty seconds at most', () => {
  const { time, patience } = patient()
  let waitedMs = 0
  while (!patience.isOver) {
    time.pass(1_000)
    waitedMs += 1_000
    if (!patience.isOver) patience.changed()
  }
  expect(waitedMs).toBe(30_000)
})

test('what comes after that is waited for anew; a whole view ends the wait', () => {
  const { time, state, patience } = patient()
  time.pass(2_000)
  patience.changed()
  expect(patience.isOver).toBe(false)
  state.isWhole = true
  patience.changed()
  time.pass(60_000)
  expect([patience.isOver, state.over]).toEqual([false, 1])
})

test('closed, it is heard of no more', () => {
  const { time, state, patience } = patient()
  patience.close()
  time.pass(60_000)
  expect(state.over).toBe(0)
})
