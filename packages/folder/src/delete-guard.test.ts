import { MemoryKeyValueStore } from '@tidemark/engine'
import { beforeEach, expect, test } from 'vitest'
import { DELETE_WINDOW_MS, DeleteGuard } from './delete-guard.js'
import { HoldState } from './hold-state.js'

let kv: MemoryKeyValueStore
let hold: HoldState
let nowMs: number
let entries: number
let counted: number
beforeEach(() => {
  kv = new MemoryKeyValueStore()
  hold = new HoldState(() => {})
  nowMs = 1_000
  entries = 100
  counted = 0
})

const guard = (): DeleteGuard =>
  new DeleteGuard({
    limit: { count: 10, share: 0.5 },
    rows: {
      count: async () => {
        counted++
        return entries
      },
    },
    space: { rows: kv, writeRows: (ops, options) => kv.batch(ops, options) },
    hold,
    monotonicMs: () => nowMs,
  })

/** Deletes as many of what is there, unless they are held. */
async function deletes(by: DeleteGuard, count: number): Promise<boolean> {
  if (!(await by.mayDelete(count))) return false
  for (let i = 0; i < count; i++) by.committed([{ type: 'delete', path: `${--entries}` }])
  return true
}

function creates(by: DeleteGuard, count: number): void {
  for (let i = 0; i < count; i++) by.committed([{ type: 'create', path: `${entries++}` }])
}

test('[FB8] deletions that come one after the other are held like one, of what was there before them', async () => {
  const slow = guard()
  for (let i = 0; i < 10; i++) expect(await deletes(slow, 5)).toBe(true)
  expect(await deletes(slow, 5)).toBe(false)
  expect(hold.current).toMatchObject({ deletes: 5, entries: 100 })
  expect(counted).toBe(1)
})

test('what is made again at its place, as by a program that builds anew, does not count', async () => {
  const by = guard()
  for (let i = 0; i < 10; i++) {
    expect(await deletes(by, 40)).toBe(true)
    creates(by, 40)
  }
})

test('deletions a minute apart have nothing to do with each other', async () => {
  const slow = guard()
  for (let i = 0; i < 12; i++) {
    expect(await deletes(slow, 8)).toBe(true)
    nowMs += DELETE_WINDOW_MS + 1
  }
})

test('as many as the limit allows are never held, whatever their share', async () => {
  entries = 20
  const by = guard()
  for (let i = 0; i < 10; i++) expect(await deletes(by, 1)).toBe(true)
  expect(counted).toBe(0)
})

test('[FB8] what is held stays held however much time passes, and over a restart', async () => {
  const first = guard()
  expect(await deletes(first, 50)).toBe(true)
  expect(await deletes(first, 5)).toBe(false)
  nowMs += 2 * DELETE_WINDOW_MS
  expect(await deletes(first, 5)).toBe(false)
  hold = new HoldState(() => {})
  nowMs = 0
  const second = guard()
  expect(await deletes(second, 5)).toBe(false)
  expect(hold.current).toMatchObject({ deletes: 5, entries: 100 })
})

test('what a person let go counts no more', async () => {
  const first = guard()
  expect(await deletes(first, 50)).toBe(true)
  expect(await deletes(first, 5)).toBe(false)
  await first.forget()
  expect(await deletes(first, 5)).toBe(true)
  expect(await deletes(guard(), 5)).toBe(true)
})
