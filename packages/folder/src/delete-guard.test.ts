import { MemoryKeyValueStore } from '@tidemark/engine'
import { beforeEach, expect, test } from 'vitest'
import { DELETE_WINDOW_MS, DeleteGuard } from './delete-guard.js'
import { HoldState } from './hold-state.js'
import type { Deletion, Item } from './local/item.js'

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

const on = (ino: string) => ({ dev: '1', ino, birthtimeNs: '1' })
const deletion = (path: string, ino = path) =>
  ({ type: 'delete', path, row: { fingerprint: on(ino) } }) as unknown as Deletion
const creation = (path: string, ino = path) => ({ type: 'create', path, stat: on(ino) }) as unknown as Item

/** Deletes these, unless they are held. */
async function deletesAll(by: DeleteGuard, items: readonly Deletion[]): Promise<boolean> {
  if (!(await by.mayDelete(items))) return false
  by.committed(items)
  entries -= items.length
  return true
}

/** Deletes as many of what is there. */
const deletes = (by: DeleteGuard, count: number): Promise<boolean> =>
  deletesAll(
    by,
    Array.from({ length: count }, (_, i) => deletion(`${entries - 1 - i}`)),
  )

function creates(by: DeleteGuard, count: number): void {
  for (let i = 0; i < count; i++) by.committed([creation(`${entries++}`)])
}

test('[FB8] deletions that come one after the other are held like one, of what was there before them', async () => {
  const slow = guard()
  for (let i = 0; i < 10; i++) expect(await deletes(slow, 5)).toBe(true)
  expect(await deletes(slow, 5)).toBe(false)
  expect(hold.current).toMatchObject({ deletes: 5, entries: 100 })
  expect(counted).toBe(2)
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

/** As a spool does: each round has new names, and takes away those of the round before. */
async function rounds(by: DeleteGuard, count: number, rename = (name: string) => name): Promise<boolean[]> {
  const allowed: boolean[] = []
  for (let round = 0; round < count; round++) {
    const names = Array.from({ length: 8 }, (_, i) => `job ${round} ${i}`)
    by.committed(names.map((name) => creation(name)))
    entries += names.length
    nowMs += 1_000
    allowed.push(
      await deletesAll(
        by,
        names.map((name) => deletion(rename(name), name)),
      ),
    )
  }
  return allowed
}

test('what comes and goes within the minute is never held, also if it is moved meanwhile', async () => {
  entries = 10
  expect(await rounds(guard(), 20)).not.toContain(false)
  expect(await rounds(guard(), 20, (name) => `done/${name}`)).not.toContain(false)
})

test('what comes and goes hides nothing that was there before', async () => {
  entries = 30
  const by = guard()
  expect(await deletes(by, 10)).toBe(true)
  expect(await rounds(by, 5)).not.toContain(false)
  expect(await deletes(by, 10)).toBe(false)
  expect(hold.current).toMatchObject({ deletes: 10, entries: 30 })
})

test('what is made again where something was deleted is no new thing: if it goes again it is a loss', async () => {
  entries = 20
  const by = guard()
  const names = Array.from({ length: 8 }, (_, i) => `${12 + i}`)
  expect(await deletes(by, 8)).toBe(true)
  by.committed(names.map((name) => creation(name, `${name} again`)))
  entries += 8
  expect(
    await deletesAll(
      by,
      names.map((name) => deletion(name, `${name} again`)),
    ),
  ).toBe(true)
  expect(await deletes(by, 8)).toBe(false)
})

test('what is older than a minute counts', async () => {
  entries = 0
  const by = guard()
  creates(by, 20)
  nowMs += DELETE_WINDOW_MS + 1
  expect(await deletes(by, 8)).toBe(true)
  expect(await deletes(by, 8)).toBe(false)
})

test('most of what is there that goes at once is held, however new it is', async () => {
  entries = 0
  const by = guard()
  creates(by, 20)
  expect(await deletes(by, 15)).toBe(false)
})

test('no more than 100,000 new things are remembered, the newest', async () => {
  entries = 0
  const by = guard()
  creates(by, 100_020)
  entries = 20
  expect(await deletes(by, 8)).toBe(true)
  expect(await deletes(by, 8)).toBe(false)
  entries = 100_020
  expect(await deletes(by, 8)).toBe(true)
})

test('entries that came since the count are counted before anything is held', async () => {
  const by = guard()
  expect(await deletes(by, 20)).toBe(true)
  entries += 400
  nowMs += 40_000
  expect(await deletes(by, 50)).toBe(true)
  expect(await deletes(by, 190)).toBe(false)
  expect(hold.current).toMatchObject({ deletes: 190, entries: 500 })
})

test('[FB8] that something is held is noted at the next look where the database did not take it', async () => {
  let isFull = true
  const space = {
    rows: kv,
    writeRows: async (...[ops, options]: Parameters<MemoryKeyValueStore['batch']>) => {
      if (isFull) throw new Error('no room')
      await kv.batch(ops, options)
    },
  }
  const over = () => {
    const rows = { count: async () => entries }
    return new DeleteGuard({ limit: { count: 10, share: 0.1 }, rows, space, hold, monotonicMs: () => nowMs })
  }
  const full = over()
  expect(await deletes(full, 10)).toBe(true)
  await expect(deletes(full, 5)).rejects.toThrow('no room')
  isFull = false
  expect(await deletes(full, 5)).toBe(false)
  expect(await deletes(over(), 5)).toBe(false)
})
