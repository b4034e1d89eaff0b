import { createHash } from 'node:crypto'
import { type ChunkId, type DeviceId, type NodeEntry, ROOT, type SpaceName } from '@tidemark/protocol'
import { expect, test } from 'vitest'
import { MemoryKeyValueStore } from '../adapters/memory-store.js'
import type { UserOp } from '../core/user-op.js'
import { entryKey } from '../core/view-entry.js'
import { SpaceDatabase, type SpaceMode } from './space-database.js'

const HUB = 'dddddddddddddddd' as DeviceId
let seed = 0

function open(mode: SpaceMode, storage = new MemoryKeyValueStore()): Promise<SpaceDatabase> {
  let count = 0
  const name = ++seed
  return SpaceDatabase.open({
    storage,
    mode,
    space: 'dirty' as SpaceName,
    device: name.toString(16).padStart(16, '0') as DeviceId,
    clock: { nowMs: () => 1_000 + name },
    random: {
      bytes: (length) => createHash('sha512').update(`${name} ${count++}`).digest().subarray(0, length),
    },
    sha256: (bytes) => createHash('sha256').update(bytes).digest(),
  })
}

const create = (name: string, text: string): UserOp => {
  const root = createHash('sha256').update(text).digest('hex') as ChunkId
  const content = { root, height: 0, size: text.length, mtimeMs: 1 }
  return { type: 'create', ref: name, parent: { node: ROOT }, name, kind: 'file', content }
}

async function all(database: SpaceDatabase): Promise<NodeEntry[]> {
  const nodes: NodeEntry[] = []
  for await (const entries of database.received.children(ROOT)) {
    for (const { node } of entries) nodes.push((await database.received.node(node))!)
  }
  return nodes
}

/** A whole round. */
async function receive(to: SpaceDatabase, nodes: readonly NodeEntry[], from: SpaceDatabase): Promise<void> {
  const cursor = { run: from.run, lseq: from.lseq }
  await to.receive(HUB, nodes, cursor)
  const { frontier, met } = from
  await to.syncPoint(HUB, { cursor, frontier, met, lost: new Map(), floor: new Map() })
}

test('keys that a commit touches are dirty in the same durable batch', async () => {
  const store = new MemoryKeyValueStore({ crashable: true })
  const database = await open('bound', store)
  const touched = await database.commit([create('f', 'v1')], (result) => {
    return { ops: [], touch: [...result.created.values()].map(entryKey) }
  })
  const after = await open('bound', store.crash(0))
  expect(await after.dirty(10)).toEqual([...touched.created.values()].map(entryKey))
})

test('an entry that was shown from older registers than are here now stays dirty', async () => {
  const [author, folder] = [await open('direct'), await open('bound')]
  const made = await author.commit([create('f', 'v1')])
  const key = entryKey(made.created.get('f')!)
  const old = await all(author)
  await receive(folder, old, author)
  await author.commit([{ type: 'attr', entry: key, executable: true }])
  await receive(folder, await all(author), author)
  const as = await folder.received.entry(key)
  await folder.materialised([{ key, as, nodes: old }], [], { sync: false })
  expect(await folder.dirty(10)).toContain(key)
  await folder.materialised([{ key, as, nodes: await all(author) }], [], { sync: false })
  expect(await folder.dirty(10)).toEqual([])
})

test('a write that changes nothing that is shown is taken over into the synced tree all the same', async () => {
  const folder = await open('bound')
  const authors = [await open('direct'), await open('direct')] as const
  const made = await authors[0].commit([create('f', 'v1')])
  const key = entryKey(made.created.get('f')!)
  for (const database of [folder, authors[1]]) await receive(database, await all(authors[0]), authors[0])
  const takeOver = async (): Promise<void> => {
    const as = await folder.received.entry(key)
    await folder.materialised([{ key, as, nodes: await all(folder) }], [], { sync: false })
  }
  for (const author of authors) {
    await author.commit([{ type: 'attr', entry: key, executable: true }])
    await receive(folder, await all(author), author)
    expect(await folder.dirty(10)).toEqual([key])
    await takeOver()
  }
  expect(await folder.dirty(10)).toEqual([])
  expect(await folder.synced.node(made.created.get('f')!.node)).toEqual((await all(folder))[0])
})

test('an entry that gets its own name back is dirty though the synced tree always showed it so', async () => {
  const folder = await open('bound')
  const authors = [await open('direct'), await open('direct')]
  for (const [i, author] of authors.entries()) {
    await author.commit([create('f', `${i}`)])
    await receive(folder, await all(author), author)
  }
  const nodes = await all(folder)
  const entries = await Promise.all(nodes.map(({ id }) => folder.received.entry(id)))
  const renamed = entries.findIndex((entry) => entry!.name !== 'f')
  const key = entryKey(entries[renamed]!)
  // On disk under its other name, while the one that has its name has not come yet.
  const done = { key, as: entries[renamed], nodes: [nodes[renamed]!] }
  await folder.materialised([done], [], { sync: false })
  const { node } = entries[1 - renamed]!
  for (const author of authors) {
    if (!(await author.received.entry(node))) continue
    await author.commit([{ type: 'delete', entry: node }])
    await receive(folder, [(await author.received.node(node))!], author)
  }
  expect((await folder.received.entry(key))!.name).toBe('f')
  expect(await folder.dirty(10)).toContain(key)
})

test('what materialising one entry shows otherwise than was received is dirty, and is told', async () => {
  const folder = await open('bound')
  const authors = [await open('direct'), await open('direct')]
  for (const [i, author] of authors.entries()) {
    await author.commit([create('f', `${i}`)])
    await receive(folder, await all(author), author)
  }
  const nodes = await all(folder)
  const entries = await Promise.all(nodes.map(({ id }) => folder.received.entry(id)))
  const doneOf = (i: number) => ({ key: entryKey(entries[i]!), as: entries[i], nodes: [nodes[i]!] })
  const winner = entries.findIndex((entry) => entry!.name === 'f')
  const { node } = entries[winner]!
  for (const author of authors) {
    if (!(await author.received.entry(node))) continue
    await author.commit([{ type: 'delete', entry: node }])
    await receive(folder, [(await author.received.node(node))!], author)
  }
  const loser = doneOf(1 - winner)
  await folder.materialised([{ ...loser, as: await folder.received.entry(loser.key) }], [], { sync: false })
  expect(await folder.dirty(10)).not.toContain(loser.key)
  let told = 0
  folder.onChange(() => told++)
  // An older plan gives the deleted one its place back for a moment: the other one loses the name.
  await folder.materialised([doneOf(winner)], [], { sync: false })
  expect(await folder.dirty(10)).toContain(loser.key)
  expect(told).toBe(1)
})

test('an entry that is marked twice at once is clean when it was shown', async () => {
  const database = await open('bound')
  const [key] = ['0'.repeat(32)]
  await database.touch([key!, key!])
  await database.materialised([{ key: key!, as: undefined, nodes: [] }], [], { sync: false })
  expect(await database.dirty(10)).toEqual([])
})
