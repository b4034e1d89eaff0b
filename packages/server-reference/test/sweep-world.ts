import {
  type BlobAuthority,
  type ChunkToPack,
  type KeyValueStore,
  MemoryKeyValueStore,
  PackFormat,
  SpaceDatabase,
  type SpacePeers,
} from '@tidemark/engine'
import { nodePlatform } from '@tidemark/engine/node'
import {
  type BlobStore,
  type ChunkId,
  type Content,
  type Context,
  type DeviceId,
  EMPTY_CONTEXT,
  INLINE_BYTES_MAX,
  type Loc,
  type NodeEntry,
  type NodeId,
  type ReplicaId,
  ROOT,
  type RunId,
  type WantedVersion,
} from '@tidemark/protocol'
import { MemoryBlobStore } from '@tidemark/protocol/memory'
import { type FileInPieces, fileInPieces } from '../../engine/test/file-pieces.js'
import { ByteCustody } from '../src/byte-custody.js'
import { type BlobAudit, BlobIndex, HubBlobs, type SweepResult, Uptime } from '../src/index.js'
import { keptLog, SPACE } from './fixture.js'

export const HOUR = 3_600_000
export const DAY = 24 * HOUR
export const KEEP_MS = 2 * DAY

const DEVICE = 'd'.repeat(16) as DeviceId
const RID = 'e'.repeat(16) as ReplicaId
const RUN = 'f'.repeat(16) as RunId
const EMPTY = new Uint8Array()
const { clock, random, hasher, compressor } = nodePlatform
export const packs = new PackFormat(hasher, compressor)
export const nodeOf = (n: number): NodeId => (n + 1).toString(16).padStart(32, '0') as NodeId

/** A file as a device has it: its content, and all that has to be stored. */
export interface File {
  readonly content: Content
  readonly pieces: FileInPieces['pieces']
}

export async function fileOf(bytes: Uint8Array): Promise<File> {
  const { root, height, size, pieces } = await fileInPieces(bytes)
  return { content: { root, height, size, mtimeMs: 0 }, pieces }
}

/** A hub that runs. */
export interface Opened {
  readonly index: BlobIndex
  readonly authority: BlobAuthority
  readonly database: SpaceDatabase
  readonly custody: ByteCustody
  readonly audit: BlobAudit
  readonly uptime: Uptime
  sweep(signal?: AbortSignal): Promise<SweepResult | undefined>
}

/** How an entry comes: by a session that was told of all that is here, by one that was not, or past the hub's custody. */
type Way = 'receive' | 'catchUp' | 'unseen'

/** A hub's bytes and registers over stores that survive it, one device that writes, and a clock of its own. */
export class SweepWorld {
  storage = new MemoryKeyValueStore({ crashable: true })
  readonly memory = new MemoryBlobStore({ sha256: (bytes) => hasher.sha256(bytes), now: () => this.wallMs })
  /** How long it really took. */
  monotonicMs = 5
  wallMs = 1_800_000_000_000
  readonly log = keptLog()
  /** What the device has told: it tells it again to a hub that went back. */
  readonly told = new Map<NodeId, NodeEntry>()
  /** What the hub asked for. */
  readonly wanted: WantedVersion[] = []
  /** Blobs that only the index had when the hub was gone: the next one looks for them when it starts. */
  readonly missingAtCrash: string[] = []
  keepMs = KEEP_MS
  soleSinceMs: number | undefined = 0
  #seq = 0
  #lseq = 0
  #open: Promise<Opened> | undefined

  /** Stores as the hub sees them: they may be slow, or the end of it. */
  around: <S extends KeyValueStore | BlobStore>(store: S) => S = (store) => store

  /** Starts the hub if it does not run. */
  get hub(): Promise<Opened> {
    this.#open ??= this.#start()
    return this.#open
  }

  async #start(): Promise<Opened> {
    const storage = this.around<KeyValueStore>(this.storage)
    const blobs = this.around<BlobStore>(this.memory)
    const uptime = await Uptime.load(storage, { monotonicMs: () => this.monotonicMs })
    const index = new BlobIndex(storage, uptime)
    const { logger } = this.log
    const hubBlobs = new HubBlobs({ blobs, index, packs, hasher, logger, rebuildAtStart: false })
    const database = await SpaceDatabase.open({
      storage,
      space: SPACE,
      device: 'a'.repeat(16) as DeviceId,
      mode: 'relay',
      clock,
      random,
      sha256: (bytes) => hasher.sha256(bytes),
    })
    const exchange = {
      want: async (versions: readonly WantedVersion[]) => void this.wanted.push(...versions),
    }
    const peers = { all: new Set([{ exchange }]) } as unknown as SpacePeers
    const audit = hubBlobs.audit(SPACE)
    // What is asked for later is asked for by tests of that.
    const timers = { monotonicMs: () => this.monotonicMs, after: () => () => undefined }
    const custody = new ByteCustody({ space: SPACE, database, peers, storage, timers, audit, logger })
    const sweep = (signal = new AbortController().signal) =>
      hubBlobs.sweep(database, {
        uptime,
        keepMs: this.keepMs,
        soleSinceMs: async () => this.soleSinceMs,
        signal,
      })
    return { index, database, custody, audit, uptime, sweep, authority: hubBlobs.authority(SPACE) }
  }

  async pass(): Promise<SweepResult | undefined> {
    return (await this.hub).sweep()
  }

  /** The hub ends and starts again. */
  async restart(): Promise<void> {
    const { custody, database, uptime } = await this.hub
    await custody.close()
    // As it does each hour.
    await uptime.save()
    await database.idle()
    this.#open = undefined
  }

  /** The power goes. @param kept Batches that were not durable and made it nevertheless. */
  async crash(kept = 0): Promise<void> {
    this.storage = this.storage.crash(Math.min(kept, this.storage.unsyncedBatches))
    this.missingAtCrash.push(...(await this.missing()))
    this.#open = undefined
    this.#lseq = 0
    const entries = [...this.told.values()]
    if (entries.length > 0) await this.#tell(entries, 'catchUp')
  }

  advance(ms: number): void {
    this.monotonicMs += ms
    this.wallMs += ms
  }

  /** As a device does: asks what is needed, and sends that, compressed where it pays. */
  async store({ pieces }: File): Promise<void> {
    const { authority } = await this.hub
    const needed = new Set(await authority.need(pieces.map(({ id }) => id)))
    const sent = pieces.filter(({ id }) => needed.has(id))
    const bytes = sent.reduce((sum, piece) => sum + piece.bytes.length, 0)
    if (sent.length === 0) return
    if (bytes <= INLINE_BYTES_MAX) return authority.putInline(sent)
    const pack = await packs.build(await Promise.all(sent.map(compressed)))
    const [grant] = await authority.grantPuts([{ id: pack.id, length: pack.bytes.length }])
    if (grant) await this.memory.client.put(grant, pack.bytes, {})
    if (!(await authority.stored([pack.id])).includes(pack.id)) throw new Error('the pack was not stored')
  }

  /** The node has this content now, or none, instead of all that it had; what is to be stored is stored. */
  write(
    n: number,
    content: Content | undefined,
    more: Partial<NodeEntry> = {},
    way: Way = 'receive',
  ): Promise<void> {
    const seq = ++this.#seq
    const before = this.told.get(nodeOf(n))
    const value = content ?? { height: 0, size: 0, mtimeMs: 0 }
    const entry: NodeEntry = {
      id: nodeOf(n),
      kind: 'file',
      loc: before?.loc ?? [this.sibling<Loc>({ parent: ROOT, name: `${n}.txt`, dead: false })],
      content: [{ dot: { rid: RID, seq }, hlc: { ms: seq, counter: 0 }, ctx: upTo(seq - 1), value }],
      attr: [],
      ...more,
    }
    this.told.set(entry.id, entry)
    return this.#tell([entry], way)
  }

  /** A value with a dot of its own, which covers nothing. */
  sibling<V>(value: V) {
    const seq = ++this.#seq
    return { dot: { rid: RID, seq }, hlc: { ms: seq, counter: 0 }, ctx: EMPTY_CONTEXT, value }
  }

  /** Bytes of chunks, as a reader gets them: located, read, and found to be what their ids say. */
  async unreadable(ids: readonly ChunkId[]): Promise<ChunkId[]> {
    const { authority } = await this.hub
    const { blobs, chunks } = await authority.locate(ids)
    const good = new Set<ChunkId>()
    for (const { id, blob, offset, storedLength, ...form } of chunks) {
      const range = { offset, length: storedLength }
      const stored = await this.memory.client.get(blobs[blob]!.grant, range, {}).catch(() => undefined)
      const bytes = stored && (await packs.plain(stored, form).catch(() => undefined))
      if (bytes && Buffer.from(hasher.sha256(bytes)).toString('hex') === id) good.add(id)
    }
    return ids.filter((id) => !good.has(id))
  }

  /** Chunks that are nowhere, or not what their ids say; looked at past the hub, which would take it for a use. */
  async lost(ids: readonly ChunkId[]): Promise<ChunkId[]> {
    const index = new BlobIndex(this.storage, { nowMs: () => 0 })
    const lost: ChunkId[] = []
    for (const [i, places] of (await index.locators(SPACE, ids)).entries()) {
      const read = places.map(async ({ blob, offset, storedLength, ...form }) => {
        const range = { offset, length: storedLength }
        const stored = await this.memory.read(SPACE, blob, range).catch(() => EMPTY)
        const bytes = await packs.plain(stored, form).catch(() => EMPTY)
        return Buffer.from(hasher.sha256(bytes)).toString('hex') === ids[i]
      })
      if (!(await Promise.all(read)).includes(true)) lost.push(ids[i]!)
    }
    return lost
  }

  async blobs(): Promise<string[]> {
    const ids: string[] = []
    for await (const id of this.memory.list(SPACE)) ids.push(id)
    return ids
  }

  /** Blobs that the index names and the store does not have. */
  async missing(): Promise<string[]> {
    const there = await this.blobs()
    const named = this.rows().flatMap((key) => key.split(/^blob-index\/b\/[^/]*\//)[1] ?? [])
    return named.filter((blob) => !there.includes(blob))
  }

  /** Rows of the index, of all kinds. */
  rows(): readonly string[] {
    return this.storage.entries({ gte: 'blob-index/', lt: 'blob-index/~' }).map(([key]) => key)
  }

  async #tell(entries: readonly NodeEntry[], way: Way): Promise<void> {
    const { custody, database } = await this.hub
    const receive = () => database.receive(DEVICE, entries, { run: RUN, lseq: ++this.#lseq })
    await (way === 'unseen' ? receive() : custody[way](entries, receive))
  }
}

async function compressed({ id, bytes }: File['pieces'][number]): Promise<ChunkToPack> {
  const deflated = await compressor.deflate(bytes)
  const isWorthIt = deflated && 8 * deflated.length < 7 * bytes.length
  return isWorthIt ? { id, bytes: deflated, codec: 1, length: bytes.length } : { id, bytes }
}

export const upTo = (seq: number): Context =>
  seq > 0 ? { vector: new Map([[RID, seq]]), except: [] } : EMPTY_CONTEXT
