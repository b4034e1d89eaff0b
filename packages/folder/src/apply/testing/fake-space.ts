import { createHash } from 'node:crypto'
import {
  type ByteSink,
  type EntryKey,
  entryKey,
  type KeyValueOp,
  type KeyValueReader,
  type Materialised,
  MemoryKeyValueStore,
  type SpaceBinding,
  type TreeReader,
  type Version,
  type ViewEntry,
} from '@tidemark/engine'
import {
  type ChunkId,
  ChunksMissingError,
  type Content,
  INLINE_BYTES_MAX,
  type NodeEntry,
  type NodeId,
  type ReplicaId,
  ROOT,
  type Sibling,
} from '@tidemark/protocol'

/** One thing of a tree, by a small number. `bytes` for a file, `target` for a symlink, neither: a directory. */
export interface Thing {
  readonly id: number
  /** Number of its directory; 0 is the root. */
  readonly in: number
  readonly name: string
  readonly bytes?: string
  readonly target?: string
  readonly executable?: boolean
  /** A losing version of node `id`. */
  readonly isCopy?: boolean
  /** Other nodes merged into this directory. */
  readonly alsoBacking?: readonly number[]
}

export const nodeId = (n: number): NodeId => (n === 0 ? ROOT : (n.toString(16).padStart(32, '0') as NodeId))
export const rootOf = (bytes: string | Uint8Array): ChunkId =>
  createHash('sha256').update(bytes).digest('hex') as ChunkId
export const MTIME_MS = 1_600_000_000_000
const REPLICA = '00000000000000aa' as ReplicaId

export function entryOf(thing: Thing): ViewEntry {
  const { id, in: parent, name, bytes, target, executable, isCopy, alsoBacking } = thing
  const text = bytes ?? target
  const version: Version | undefined =
    text === undefined
      ? undefined
      : {
          root: rootOf(text),
          height: 0,
          size: Buffer.byteLength(text),
          mtimeMs: MTIME_MS,
          dots: [],
          ...(target === undefined ? {} : { target }),
        }
  return {
    parent: nodeId(parent),
    name,
    kind: bytes !== undefined ? 'file' : target !== undefined ? 'symlink' : 'dir',
    node: nodeId(id),
    backing: [nodeId(id), ...(alsoBacking ?? []).map(nodeId)].sort(),
    role: isCopy ? 'conflict' : 'main',
    executable: executable === true,
    ...(version ? { version } : {}),
  }
}

/** The parts of a space's binding that applying uses, over trees that a test sets. */
export class FakeSpace {
  kv = new MemoryKeyValueStore({ crashable: true })
  /** What went with each state of the store that a power cut could bring back, the oldest first. */
  #states: Taken[] = []
  readonly chunks = new Map<ChunkId, Uint8Array>()
  readonly receivedEntries = new Map<EntryKey, ViewEntry>()
  readonly shown = new Map<EntryKey, ViewEntry>()
  readonly #receivedNodes = new Map<NodeId, NodeEntry>()
  readonly #syncedNodes = new Map<NodeId, NodeEntry>()
  #dirty = new Set<EntryKey>()
  fetchedSmall = 0
  /** Called before each write to the database; a test may throw. */
  beforeWrite: () => void = () => {}

  readonly received: TreeReader = readerOf(this.receivedEntries, this.#receivedNodes)
  readonly synced: TreeReader = readerOf(this.shown, this.#syncedNodes)

  /** The whole received tree from now on; what differs is dirty, in the given order. */
  show(things: readonly Thing[], order: (keys: EntryKey[]) => EntryKey[] = (keys) => keys): void {
    const next = new Map(things.map((thing) => [entryKey(entryOf(thing)), entryOf(thing)]))
    const changed: EntryKey[] = []
    for (const key of new Set([...this.receivedEntries.keys(), ...next.keys()])) {
      if (JSON.stringify(this.receivedEntries.get(key)) !== JSON.stringify(next.get(key))) changed.push(key)
    }
    this.receivedEntries.clear()
    for (const [key, entry] of next) this.receivedEntries.set(key, entry)
    for (const thing of things) {
      if (thing.bytes !== undefined) this.chunks.set(rootOf(thing.bytes), Buffer.from(thing.bytes))
    }
    this.#receivedNodes.clear()
    for (const [id, node] of nodesOf([...next.values()])) this.#receivedNodes.set(id, node)
    for (const key of order(changed)) {
      this.#dirty.delete(key)
      this.#dirty.add(key)
    }
  }

  async writeRows(ops: readonly KeyValueOp[], options: { sync: boolean }): Promise<void> {
    this.beforeWrite()
    this.#remember(options)
    await this.kv.batch(ops, options)
  }

  get rows(): KeyValueReader {
    return this.kv
  }

  /** The database as a power cut could leave it. @param kept Of `unsyncedWrites` those that made it. */
  powerCut(kept: number): void {
    const state = this.#states[kept]
    this.kv = this.kv.crash(kept)
    this.#states = []
    if (!state) return
    replace(this.shown, state.shown)
    replace(this.#syncedNodes, state.syncedNodes)
    this.#dirty = new Set(state.dirty)
  }

  get unsyncedWrites(): number {
    return this.kv.unsyncedBatches
  }

  /** Before a write. */
  #remember({ sync }: { sync: boolean }): void {
    if (sync) this.#states = []
    else
      this.#states.push({
        shown: new Map(this.shown),
        syncedNodes: new Map(this.#syncedNodes),
        dirty: new Set(this.#dirty),
      })
  }

  async touch(keys: readonly EntryKey[]): Promise<void> {
    for (const key of keys) this.#dirty.add(key)
  }

  readonly begunAnew: SpaceBinding['begunAnew'] = {
    phase: 'no',
    orphans: async function* () {},
    settled: async () => undefined,
  }

  async dirty(limit: number): Promise<readonly EntryKey[]> {
    return [...this.#dirty].slice(0, limit)
  }

  async materialised(
    done: readonly Materialised[],
    rows: readonly KeyValueOp[],
    { touch = [], ...options }: { sync: boolean; touch?: readonly EntryKey[] },
  ): Promise<void> {
    this.beforeWrite()
    this.#remember(options)
    await this.kv.batch(rows, options)
    for (const { key, as, nodes } of done) {
      if (as) this.shown.set(key, as)
      else this.shown.delete(key)
      for (const node of nodes) this.#syncedNodes.set(node.id, node)
      if (JSON.stringify(this.receivedEntries.get(key)) === JSON.stringify(as)) this.#dirty.delete(key)
    }
    await this.touch(touch)
  }

  async fetchSmall(roots: readonly ChunkId[]): Promise<Map<ChunkId, Uint8Array>> {
    const found = new Map<ChunkId, Uint8Array>()
    for (const root of roots) {
      const bytes = this.chunks.get(root)
      if (bytes && bytes.length <= INLINE_BYTES_MAX) found.set(root, bytes)
    }
    this.fetchedSmall += found.size
    return found
  }

  async fetch(version: Pick<Version, 'root'>, sink: ByteSink): Promise<void> {
    const bytes = this.chunks.get(version.root)
    if (!bytes) throw new ChunksMissingError([version.root])
    const piece = 64 * 1024
    for (let at = 0; at < bytes.length; at += piece) {
      const want = bytes.subarray(at, at + piece)
      const have = await sink.read?.(at, want.length)
      if (have && Buffer.compare(have, want) === 0) continue
      this.fetchedPieces++
      await sink.write(at, want)
      await this.afterPiece()
    }
  }
  fetchedPieces = 0
  afterPiece: () => Promise<void> | void = () => {}
}

interface Taken {
  readonly shown: ReadonlyMap<EntryKey, ViewEntry>
  readonly syncedNodes: ReadonlyMap<NodeId, NodeEntry>
  readonly dirty: ReadonlySet<EntryKey>
}

function replace<K, V>(map: Map<K, V>, by: ReadonlyMap<K, V>): void {
  map.clear()
  for (const [key, value] of by) map.set(key, value)
}

function readerOf(entries: Map<EntryKey, ViewEntry>, nodes: Map<NodeId, NodeEntry>): TreeReader {
  return {
    node: async (id) => nodes.get(id),
    entry: async (key) => entries.get(key),
    lookup: async (parent, name) =>
      [...entries.values()].find((entry) => entry.parent === parent && entry.name === name),
    async *children(parent) {
      yield [...entries.values()].filter((entry) => entry.parent === parent)
    },
    resolve: async () => undefined,
    pathOf: async (entry) => [entry.name],
  }
}

function nodesOf(entries: readonly ViewEntry[]): Map<NodeId, NodeEntry> {
  const nodes = new Map<NodeId, NodeEntry>()
  let seq = 0
  for (const { node, kind, version, backing } of entries) {
    for (const id of backing) {
      const content = [...(nodes.get(id)?.content ?? [])]
      if (version) {
        const { root, height, size, mtimeMs, target } = version
        const value: Content = { root, height, size, mtimeMs, ...(target === undefined ? {} : { target }) }
        const sibling: Sibling<Content> = {
          dot: { rid: REPLICA, seq: ++seq },
          ctx: { vector: new Map(), except: [] },
          hlc: { ms: 1, counter: seq },
          value,
        }
        content.push(sibling)
      }
      nodes.set(id, { id, kind: id === node ? kind : 'dir', loc: [], content, attr: [] })
    }
  }
  return nodes
}
