import { type ChunkId, type DeviceId, type NodeEntry, parseSpaceName, ROOT } from '@tidemark/protocol'
import { expect, test } from 'vitest'
import { MemoryKeyValueStore } from '../adapters/memory-store.js'
import { newerThan } from '../core/incoming.js'
import { entryKey } from '../core/view-entry.js'
import { nodePlatform } from '../node/index.js'
import { SpaceDatabase } from './space-database.js'

const A = 'a'.repeat(16) as DeviceId
const B = 'b'.repeat(16) as DeviceId
const open = (device: DeviceId) =>
  SpaceDatabase.open({
    storage: new MemoryKeyValueStore(),
    space: parseSpaceName('photos'),
    device,
    mode: 'direct',
    clock: nodePlatform.clock,
    random: nodePlatform.random,
    sha256: (bytes) => nodePlatform.hasher.sha256(bytes),
  })

/** One whole round from one to the other, as the exchange makes it. */
async function round(from: SpaceDatabase, to: SpaceDatabase): Promise<void> {
  const snapshot = await from.snapshot()
  const entries: NodeEntry[] = []
  for await (const page of snapshot.log(0))
    for (const node of await snapshot.nodes(page.map(({ node }) => node))) {
      const newer = node && newerThan(node, to.frontier)
      if (newer) entries.push(newer)
    }
  const cursor = { run: from.run, lseq: snapshot.lseq }
  await to.receive(from.device, entries, cursor)
  const { frontier, met, floor } = snapshot
  await to.syncPoint(from.device, { cursor, frontier, met, floor, lost: new Map() })
  await snapshot.close()
}
const content = (byte: string) => ({ root: byte.repeat(64) as ChunkId, height: 0, size: 1, mtimeMs: 1 })

/** The same executable was deleted at both: `b` has collected it, `a` has only taken the first step, and sleeps. */
async function collectedAtOne(options: { import?: true } = {}) {
  const [a, b] = [await open(A), await open(B)]
  const place = { parent: { node: ROOT }, name: 'run.sh', kind: 'file', executable: true } as const
  const create = { type: 'create', ref: 'f', ...place, ...options } as const
  const made = await a.commit([{ ...create, content: content('1') }])
  await round(a, b)
  await a.commit([{ type: 'delete', entry: entryKey(made.created.get('f')!) }])
  await round(a, b)
  await b.gc.takeMembers(await a.gc.setMembers([A, B]))
  for (let i = 0; i < 2; i++) {
    for (const end of [a, b]) await end.gc.acknowledge()
    await a.gc.takeAcks(await b.gc.acks())
    await b.gc.takeAcks(await a.gc.acks())
    if (i === 0) await a.gc.collect()
    await b.gc.takeAcks(await a.gc.acks())
    await b.gc.collect()
  }
  return { a, b, create }
}

async function executableAt(...ends: readonly SpaceDatabase[]): Promise<(boolean | undefined)[]> {
  const entries = await Promise.all(ends.map(({ received }) => received.resolve(['run.sh'])))
  return entries.map((entry) => entry?.executable)
}

test('[GC15] an executable made again where one was collected is executable everywhere', async () => {
  const { a, b, create } = await collectedAtOne()
  await a.commit([{ ...create, content: content('2') }])
  await round(a, b)
  await round(b, a)
  expect(await executableAt(a, b)).toEqual([true, true])
})

test('[GC15] a file that is imported again where one was collected, and is not executable any more', async () => {
  const { a, b, create } = await collectedAtOne({ import: true })
  await b.commit([{ ...create, content: content('1'), executable: false }])
  await round(b, a)
  await round(a, b)
  expect(await executableAt(a, b)).toEqual([false, false])
})
