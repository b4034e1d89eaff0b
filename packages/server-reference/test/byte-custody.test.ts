import { MemoryKeyValueStore, SpaceDatabase, type SpacePeers, type Timers } from '@tidemark/engine'
import { nodePlatform } from '@tidemark/engine/node'
import {
  type ChunkId,
  type DeviceId,
  IDS_PER_REQUEST_MAX,
  type NodeEntry,
  type NodeId,
  type ReplicaId,
  ROOT,
  type RunId,
  StoreError,
  type WantedVersion,
} from '@tidemark/protocol'
import { expect, test } from 'vitest'
import { ByteCustody } from '../src/byte-custody.js'
import type { BlobAudit } from '../src/grants/hub-blobs.js'
import { keptLog, SPACE } from './fixture.js'

const DEVICE = 'd'.repeat(16) as DeviceId
const RID = 'e'.repeat(16) as ReplicaId
const RUN = 'f'.repeat(16) as RunId
const nodeOf = (n: number): NodeId => n.toString(16).padStart(32, '0') as NodeId
const rootOf = (n: number): ChunkId => n.toString(16).padStart(64, '0') as ChunkId

/** File `n` with content `root`, written as the `seq`-th write of one device; it covers what came before. */
function file(n: number, root: number, seq: number): NodeEntry {
  const sibling = {
    ctx: { vector: new Map(seq > 2 ? [[RID, seq - 1]] : []), except: [] },
    hlc: { ms: seq, counter: 0 },
  }
  return {
    id: nodeOf(n),
    kind: 'file',
    loc: [{ ...sibling, dot: { rid: RID, seq }, value: { parent: ROOT, name: `${n}.txt`, dead: false } }],
    content: [
      {
        ...sibling,
        dot: { rid: RID, seq: seq + 1 },
        value: { root: rootOf(root), height: 0, size: 5, mtimeMs: 0 },
      },
    ],
    attr: [],
  }
}

/** A hub's space over memory; `lacked` are the roots whose bytes it does not know, `inStore` those
 * of them that the store has. */
async function custodyWorld() {
  const storage = new MemoryKeyValueStore()
  const { clock, random, hasher } = nodePlatform
  const database = await SpaceDatabase.open({
    storage,
    space: SPACE,
    device: 'a'.repeat(16) as DeviceId,
    mode: 'relay',
    clock,
    random,
    sha256: (bytes) => hasher.sha256(bytes),
  })
  const lacked = new Set<ChunkId>()
  const inStore = new Set<ChunkId>()
  const seen = { looked: 0, reindexed: 0 }
  const audit: BlobAudit = {
    lacking: async (versions) => {
      seen.looked += versions.length
      return versions.filter(({ root }) => lacked.has(root))
    },
    unknown: async (versions) => versions.filter(({ root }) => lacked.has(root)),
    unsure: async () => [],
    dropLost: async () => 0,
    reindex: async () => {
      seen.reindexed++
      for (const root of inStore) lacked.delete(root)
    },
    due: async () => undefined,
    done: async () => undefined,
    onLost: () => undefined,
  }
  const attached = new Set<{ exchange: { want: (versions: readonly WantedVersion[]) => Promise<void> } }>()
  const peers = { all: attached } as unknown as SpacePeers
  const { logger, lines } = keptLog()
  const due: { afterMs: number; run: () => void }[] = []
  let nowMs = 0
  const timers: Timers = {
    monotonicMs: () => nowMs,
    after: (afterMs, fn) => {
      const dueMs = nowMs + afterMs
      const run = () => {
        nowMs = dueMs
        fn()
      }
      const timer = { afterMs, run }
      due.push(timer)
      return () => void (due.includes(timer) && due.splice(due.indexOf(timer), 1))
    },
  }
  const custody = new ByteCustody({ space: SPACE, database, peers, storage, timers, audit, logger })
  let lseq = 0
  const tell = (...entries: NodeEntry[]) =>
    custody.catchUp(entries, () => database.receive(DEVICE, entries, { run: RUN, lseq: ++lseq }))
  const write = (...entries: NodeEntry[]) =>
    custody.receive(entries, () => database.receive(DEVICE, entries, { run: RUN, lseq: ++lseq }))
  const asked = async (): Promise<WantedVersion[]> => {
    const all: WantedVersion[] = []
    await custody.opened(async (versions) => void all.push(...versions))
    await custody.close()
    return all
  }
  return { audit, attached, due, lacked, inStore, lines, seen, tell, write, asked, custody }
}

test('[BG22] a hub that ends does not wait for what it looks through', async () => {
  const { audit, custody, tell } = await custodyWorld()
  audit.lacking = (_, signal) =>
    new Promise((_, reject) => signal!.addEventListener('abort', () => reject(signal!.reason)))
  const told = tell(file(1, 1, 1)).catch((error: unknown) => error)
  await new Promise((resolve) => setImmediate(resolve))
  await custody.close()
  expect(await told).toMatchObject({ name: 'AbortError' })
})

test('[BG22] a hub that lost nothing looks at nothing when a device connects', async () => {
  const { seen, tell, asked } = await custodyWorld()
  await tell(file(1, 1, 1))
  const before = seen.looked
  expect(await asked()).toEqual([])
  expect(seen.looked).toBe(before)
})

test('[BG22] what a device tells and the hub lacks is asked of everybody who connects, until it came', async () => {
  const { lacked, tell, asked } = await custodyWorld()
  lacked.add(rootOf(2))
  await tell(file(1, 1, 1), file(2, 2, 3), file(3, 2, 5))
  const version = { root: rootOf(2), height: 0, size: 5 }
  expect(await asked()).toEqual([version])
  expect(await asked()).toEqual([version])
  lacked.clear()
  expect(await asked()).toEqual([])
  lacked.add(rootOf(2))
  expect(await asked(), 'what came is forgotten').toEqual([])
})

test('[BG22] what the store has and the index has forgotten is found, and not asked for', async () => {
  const { lacked, inStore, seen, tell, asked } = await custodyWorld()
  for (const n of [1, 2]) lacked.add(rootOf(n))
  inStore.add(rootOf(1))
  await tell(file(1, 1, 1), file(2, 2, 3))
  expect((await asked()).map(({ root }) => root)).toEqual([rootOf(2)])
  lacked.add(rootOf(3))
  await tell(file(3, 3, 5))
  expect(seen.reindexed, 'the store is read once').toBe(1)
})

test('[BG22] a store that could not be read is read later, also by the next process', async () => {
  const { audit, lacked, inStore, lines, tell, asked } = await custodyWorld()
  const { reindex } = audit
  lacked.add(rootOf(1))
  inStore.add(rootOf(1))
  audit.reindex = async () => {
    throw new StoreError('the store is overloaded', 503)
  }
  await tell(file(1, 1, 1))
  expect(lines.map(({ event }) => event)).toContain('byte-audit-failed')
  audit.reindex = reindex
  expect((await asked()).map(({ root }) => root)).toEqual([rootOf(1)])
  expect(await asked()).toEqual([])
})

test('[BG22] what a program writes is asked for at its next connection, if its bytes did not come', async () => {
  const { lacked, seen, write, asked } = await custodyWorld()
  lacked.add(rootOf(1)).add(rootOf(2))
  await write(file(1, 1, 1), file(2, 2, 3))
  expect(seen).toEqual({ looked: 0, reindexed: 0 })
  lacked.delete(rootOf(2))
  expect((await asked()).map(({ root }) => root)).toEqual([rootOf(1)])
})

test('[BG22] what does not follow its entry is asked of who is connected, less and less often, until it came', async () => {
  const { attached, due, lacked, write } = await custodyWorld()
  const asked: string[][] = []
  attached.add({
    exchange: { want: async (versions) => void asked.push(versions.map(({ root }) => root.slice(-1))) },
  })
  lacked.add(rootOf(1)).add(rootOf(2))
  await write(file(1, 1, 1))
  const next = async (afterMs: number): Promise<void> => {
    await expect.poll(() => due.map((timer) => timer.afterMs)).toEqual([afterMs])
    due.pop()!.run()
  }
  expect(asked).toEqual([])
  await next(10_000)
  await expect.poll(() => due.length).toBe(1)
  // What comes later has a time of its own, and does not make the first more urgent.
  await write(file(2, 2, 3))
  await next(10_000)
  await next(10_000)
  await next(10_000)
  await expect.poll(() => asked).toEqual([['1'], ['2'], ['1'], ['2']])
  lacked.clear()
  await next(30_000)
  await next(10_000)
  await new Promise((resolve) => setTimeout(resolve, 20))
  expect(due).toEqual([])
  expect(asked).toHaveLength(4)
})

test('[BG22] a content that nothing shows any more is not asked for', async () => {
  const { lacked, tell, asked } = await custodyWorld()
  lacked.add(rootOf(1))
  await tell(file(1, 1, 1))
  await tell(file(1, 2, 3))
  expect(await asked()).toEqual([])
})

test('[BG22] more than one message holds is asked for in several', async () => {
  const { lacked, tell, custody } = await custodyWorld()
  const count = IDS_PER_REQUEST_MAX + 5
  const entries: NodeEntry[] = []
  for (let n = 1; n <= count; n++) {
    lacked.add(rootOf(n))
    entries.push(file(n, n, 2 * n - 1))
  }
  await tell(...entries)
  const sizes: number[] = []
  await custody.opened(async (versions) => void sizes.push(versions.length))
  await expect.poll(() => sizes).toEqual([IDS_PER_REQUEST_MAX, 5])
})

test('[BG22] a hub that stops does not wait until everything that its store has was read', async () => {
  const { audit, lacked, tell, custody } = await custodyWorld()
  lacked.add(rootOf(1))
  audit.reindex = (signal) =>
    new Promise((_, reject) => signal?.addEventListener('abort', () => reject(signal.reason)))
  const told = tell(file(1, 1, 1)).catch((error: unknown) => error)
  await new Promise((done) => setTimeout(done, 10))
  await custody.close()
  expect(await told).toMatchObject({ name: 'AbortError' })
})

test('[BG22] a peer that cannot be asked does not end the hub', async () => {
  const { attached, lacked, lines, tell } = await custodyWorld()
  const want = async () => {
    throw new Error('not now')
  }
  attached.add({ exchange: { want } })
  lacked.add(rootOf(1))
  await tell(file(1, 1, 1))
  await expect.poll(() => lines.map(({ event }) => event)).toContain('byte-audit-failed')
})
