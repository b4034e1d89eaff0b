import type { NodeEntry, NodeId } from '@tidemark/protocol'
import { ROOT } from '@tidemark/protocol'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { MemoryKeyValueStore } from '../src/adapters/memory-store.js'
import { joinEntries } from '../src/core/register.js'
import { referenceView } from '../src/core/view/reference.js'
import { entryKey, type ViewEntry } from '../src/core/view-entry.js'
import { Transaction } from '../src/database/transaction.js'
import { Tree } from '../src/database/tree.js'
import { decodeEntry } from '../src/database/tree-rows.js'
import { arbitrarySteps, byKey, playSteps, sha256 } from './graphs.js'

const PREFIX = 't/'

/** The matcher is slow, and nearly always the two are equal. */
function expectSame(actual: ReadonlyMap<string, unknown>, expected: ReadonlyMap<string, unknown>): void {
  if (JSON.stringify([...actual]) !== JSON.stringify([...expected])) expect(actual).toEqual(expected)
}
const newTree = () => new Tree({ prefix: PREFIX, sha256 })

async function rowsOf(store: MemoryKeyValueStore): Promise<Map<string, string>> {
  const rows = new Map<string, string>()
  for await (const page of store.range({ gte: PREFIX, lt: 't0' })) {
    for (const [key, value] of page) rows.set(key, Buffer.from(value).toString('latin1'))
  }
  return rows
}

/** Graves are hints: the last one stays. */
const withoutHints = (rows: Map<string, string>) =>
  [...rows].filter(([key]) => !key.startsWith(`${PREFIX}x/`))

function shownIn(rows: ReadonlyMap<string, string>): Map<string, ViewEntry> {
  const entries = [...rows].filter(([key]) => key.startsWith(`${PREFIX}e/`))
  return byKey(entries.map(([, row]) => decodeEntry(Buffer.from(row, 'latin1'))))
}

async function joinInto(store: MemoryKeyValueStore, tree: Tree, batch: readonly NodeEntry[]) {
  const txn = new Transaction(store)
  const result = await tree.join(txn, batch)
  await txn.commit({ sync: false })
  return result
}

/** Steps, the order of delivery, and after which deliveries a batch ends. */
const script = (maxLength: number) =>
  arbitrarySteps(maxLength).chain((steps) =>
    fc.record({
      steps: fc.constant(steps),
      order: fc.shuffledSubarray(
        steps.map((_, i) => i),
        { minLength: steps.length },
      ),
      cuts: fc.array(fc.boolean(), { minLength: steps.length, maxLength: steps.length }),
    }),
  )

function batchesOf({ written, order, cuts }: { written: NodeEntry[]; order: number[]; cuts: boolean[] }) {
  const batches: NodeEntry[][] = [[]]
  for (const [i, index] of order.entries()) {
    batches.at(-1)!.push(written[index]!)
    if (cuts[i]) batches.push([])
  }
  return batches.filter((batch) => batch.length > 0)
}

async function checkScript(batches: readonly NodeEntry[][]): Promise<MemoryKeyValueStore> {
  const store = new MemoryKeyValueStore()
  const tree = newTree()
  const registers = new Map<NodeId, NodeEntry>()
  let shown = new Map<string, ViewEntry>()
  for (const batch of batches) {
    for (const entry of batch) {
      const known = registers.get(entry.id)
      registers.set(entry.id, known ? joinEntries(known, entry) : entry)
    }
    const { changes } = await joinInto(store, tree, batch)
    const expected = byKey(referenceView(registers.values(), sha256))
    const rows = await rowsOf(store)
    expectSame(shownIn(rows), expected)
    for (const { key, before, after } of changes) {
      expect(JSON.stringify(shown.get(key))).toBe(JSON.stringify(before))
      expect(JSON.stringify(after)).not.toBe(JSON.stringify(before))
      if (after) shown.set(key, after)
      else shown.delete(key)
    }
    expectSame(byKey(shown.values()), expected)
    shown = new Map(expected)
  }
  return store
}

async function checkReads(store: MemoryKeyValueStore): Promise<void> {
  const reader = newTree().reader(store)
  const all = shownIn(await rowsOf(store))
  const found = new Map<string, ViewEntry>()
  const open: NodeId[] = [ROOT]
  for (const parent of open) {
    for await (const page of reader.children(parent)) {
      for (const entry of page) {
        found.set(entryKey(entry), entry)
        expect(await reader.lookup(parent, entry.name)).toEqual(entry)
        expect(await reader.resolve(await reader.pathOf(entry))).toEqual(entry)
        if (entry.kind !== 'dir') continue
        open.push(entry.node)
        for (const node of entry.backing) {
          const children: string[] = []
          for await (const below of reader.children(node)) children.push(...below.map(entryKey))
          const below = [...all.values()].filter((child) => child.parent === entry.node)
          expect(children.sort()).toEqual(below.map(entryKey).sort())
        }
      }
    }
  }
  expect(byKey(found.values())).toEqual(all)
}

/** An integer; more in soak runs. */
const RUNS = Number(process.env.TREE_RUNS ?? 1500)

describe('incremental view', () => {
  it('[V16] equals the reference after every join, and `changes` are exactly the difference', async () => {
    await fc.assert(
      fc.asyncProperty(script(24), async ({ steps, order, cuts }) => {
        await checkScript(batchesOf({ written: playSteps(steps), order, cuts }))
      }),
      { numRuns: RUNS },
    )
  })

  it('[V16] equals the reference when whole registers arrive instead of single siblings', async () => {
    await fc.assert(
      fc.asyncProperty(script(24), async ({ steps, order, cuts }) => {
        const registers = new Map<NodeId, NodeEntry>()
        const written = playSteps(steps).map((delta) => {
          const known = registers.get(delta.id)
          const whole = known ? joinEntries(known, delta) : delta
          registers.set(delta.id, whole)
          return whole
        })
        await checkScript(batchesOf({ written, order, cuts }))
      }),
      { numRuns: Math.ceil(RUNS / 3) },
    )
  })

  it('[V16] every row follows from the registers: two orders leave the same rows', async () => {
    await fc.assert(
      fc.asyncProperty(script(24), async ({ steps, order, cuts }) => {
        const written = playSteps(steps)
        const store = new MemoryKeyValueStore()
        const tree = newTree()
        for (const batch of batchesOf({ written, order, cuts })) await joinInto(store, tree, batch)
        const other = new MemoryKeyValueStore()
        await joinInto(other, newTree(), written)
        const rows = withoutHints(await rowsOf(store))
        expectSame(new Map(rows), new Map(withoutHints(await rowsOf(other))))
      }),
      { numRuns: RUNS },
    )
  })

  it('reads by place, by path and by directory agree with the entries', async () => {
    await fc.assert(
      fc.asyncProperty(script(16), async ({ steps, order, cuts }) => {
        const store = new MemoryKeyValueStore()
        const tree = newTree()
        const written = playSteps(steps)
        for (const batch of batchesOf({ written, order, cuts })) await joinInto(store, tree, batch)
        await checkReads(store)
      }),
      { numRuns: Math.ceil(RUNS / 5) },
    )
  })
})
