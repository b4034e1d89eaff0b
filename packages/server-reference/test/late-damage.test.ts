import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { MemoryKeyValueStore, SpaceDatabase, type SpacePeers, type Timers } from '@tidemark/engine'
import { nodePlatform } from '@tidemark/engine/node'
import {
  type DeviceId,
  type NodeEntry,
  type NodeId,
  type ReplicaId,
  ROOT,
  type RunId,
  type WantedVersion,
} from '@tidemark/protocol'
import { fsBlobStore } from '@tidemark/store-fs'
import { expect, test } from 'vitest'
import { repeatedTree } from '../../engine/test/repeated-tree.js'
import { ByteCustody } from '../src/byte-custody.js'
import { BlobIndex, HubBlobs } from '../src/index.js'
import {
  type Chunk,
  chunkOf,
  hasher,
  keptLog,
  packOf,
  SPACE,
  simplePacks,
  temporaryDirectory,
} from './fixture.js'

const DEVICE = 'd'.repeat(16) as DeviceId
const RUN = 'f'.repeat(16) as RunId

async function hubOverDisk() {
  const directory = await temporaryDirectory()
  const storage = new MemoryKeyValueStore()
  const { clock, random } = nodePlatform
  const { logger } = keptLog()
  const blobs = fsBlobStore({ directory })
  const uptime = { ms: 1, nowMs: () => uptime.ms }
  const index = new BlobIndex(storage, uptime)
  const hub = new HubBlobs({ blobs, index, packs: simplePacks, hasher, logger, rebuildAtStart: false })
  const device = 'a'.repeat(16) as DeviceId
  const sha256 = (bytes: Uint8Array) => hasher.sha256(bytes)
  const database = await SpaceDatabase.open({
    storage,
    space: SPACE,
    device,
    mode: 'relay',
    clock,
    random,
    sha256,
  })
  const timers: Timers = { monotonicMs: () => 0, after: () => () => undefined }
  const peers = { all: new Set() } as unknown as SpacePeers
  const audit = hub.audit(SPACE)
  const custody = new ByteCustody({ space: SPACE, database, peers, storage, timers, audit, logger })
  const authority = hub.authority(SPACE)
  const upload = async (chunks: readonly Chunk[]) => {
    const pack = packOf(chunks)
    await blobs.put(SPACE, pack.id, pack.bytes)
    expect(await authority.stored([pack.id])).toEqual([pack.id])
    return pack
  }
  /** The first chunk of a pack rots. */
  const rot = async ({ id, chunks }: Awaited<ReturnType<typeof upload>>) => {
    const path = join(directory, 'blobs', id.slice(0, 2), SPACE, id)
    const bytes = await readFile(path)
    bytes[chunks[0]!.offset]! ^= 1
    await writeFile(path, bytes)
  }
  /** What is said of losses so far is looked at, and nothing is left of it. */
  const audited = () => expect.poll(() => audit.due()).toBeUndefined()
  const record = (entry: NodeEntry) => database.receive(DEVICE, [entry], { run: RUN, lseq: 1 })
  /** In a session that had its first sync point. */
  const commit = (entry: NodeEntry) => custody.receive([entry], () => record(entry))
  /** What a device that connects now is asked for. */
  const asked = async (): Promise<readonly string[]> => {
    const all: WantedVersion[] = []
    await custody.opened(async (versions) => void all.push(...versions))
    await custody.close()
    return all.map(({ root }) => root)
  }
  return { authority, blobs, upload, rot, audited, record, commit, asked, uptime }
}

function entryOf({ root, height, size }: WantedVersion): NodeEntry {
  const rid = 'e'.repeat(16) as ReplicaId
  const sibling = { ctx: { vector: new Map(), except: [] }, hlc: { ms: 1, counter: 0 } }
  return {
    id: '1'.repeat(32) as NodeId,
    kind: 'file',
    attr: [],
    loc: [{ ...sibling, dot: { rid, seq: 1 }, value: { parent: ROOT, name: 'a.txt', dead: false } }],
    content: [{ ...sibling, dot: { rid, seq: 2 }, value: { root, height, size, mtimeMs: 0 } }],
  }
}

test.each(['rotten', 'lost'] as const)(
  '[BG22] [BG28] bytes that were found %s between upload and commit are asked for',
  async (how) => {
    const it = await hubOverDisk()
    const [mine, other] = [chunkOf(500), chunkOf(500)]
    const pack = await it.upload([mine, other])
    if (how === 'rotten') await it.rot(pack)
    else await it.blobs.delete(SPACE, pack.id)
    await it.authority.locate([other.id], { distrusted: [pack.id] })
    await it.audited()
    await it.commit(entryOf({ root: mine.id, height: 0, size: 500 }))
    expect(await it.authority.need([mine.id]), 'the hub lacks it').toEqual([mine.id])
    expect(await it.asked()).toEqual([mine.id])
  },
)

test.each(['rotten', 'lost'] as const)(
  '[BG22] [BG28] a chunk of a large file that was found %s between upload and commit is asked for',
  async (how) => {
    const it = await hubOverDisk()
    const { chunks, version } = repeatedTree(1)
    const [chunk, node] = chunks
    const pack = await it.upload([chunk!, chunkOf(500)])
    await it.upload([node!])
    if (how === 'rotten') await it.rot(pack)
    else await it.blobs.delete(SPACE, pack.id)
    await it.authority.locate([chunk!.id], { distrusted: [pack.id] })
    await it.audited()
    await it.commit(entryOf(version))
    expect(await it.asked()).toEqual([version.root])
  },
)

test('[BG28] who reads from a damaged blob what was committed meanwhile is heard, at most once a minute', async () => {
  const it = await hubOverDisk()
  const mine = chunkOf(500)
  const pack = await it.upload([mine])
  await it.rot(pack)
  const complain = () => it.authority.locate([mine.id], { distrusted: [pack.id] })
  await complain()
  await it.audited()
  // It was under way when the damage was found.
  await it.record(entryOf({ root: mine.id, height: 0, size: 500 }))
  await complain()
  await it.audited()
  it.uptime.ms += 60_000
  await complain()
  await it.audited()
  expect(await it.asked()).toEqual([mine.id])
})
