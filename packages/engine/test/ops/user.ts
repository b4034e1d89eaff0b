import { createHash } from 'node:crypto'
import {
  type ChunkId,
  type Dot,
  HLC_ZERO,
  type Hlc,
  maxHlc,
  type NodeEntry,
  type NodeId,
  nextHlc,
  type ReplicaId,
  ROOT,
  type SpaceName,
} from '@tidemark/protocol'
import { MemoryKeyValueStore } from '../../src/adapters/memory-store.js'
import type { NewContent, UserOp } from '../../src/core/user-op.js'
import { type EntryKey, entryKey, type ViewEntry } from '../../src/core/view-entry.js'
import type { WriteContext } from '../../src/core/write-context.js'
import { type CommittedOps, commitOps } from '../../src/database/commit-ops.js'
import { Transaction } from '../../src/database/transaction.js'
import { Tree } from '../../src/database/tree.js'

export const sha256 = (bytes: Uint8Array): Uint8Array => createHash('sha256').update(bytes).digest()
export const rootOf = (text: string): ChunkId => createHash('sha256').update(text).digest('hex') as ChunkId
export const bytes = (text: string): NewContent => ({
  root: rootOf(text),
  height: 0,
  size: text.length,
  mtimeMs: 1_000,
})

/** One replica with a user: what was received, and what stands on the (pretended) disk. */
export class User {
  readonly rid: ReplicaId
  readonly store = new MemoryKeyValueStore()
  readonly received = new Tree({ prefix: 'r/', sha256 })
  readonly synced: Tree
  readonly writer: WriteContext
  #seq = 0
  #hlc: Hlc = HLC_ZERO
  #ids = 0
  readonly #nodes = new Map<NodeId, NodeEntry>()

  /** @param options.oneTree Received and synced are one, as where there is no disk in between. */
  constructor(name: string, options: { oneTree?: boolean; skewMs?: number; now?: () => number } = {}) {
    this.rid = rootOf(name).slice(0, 16) as ReplicaId
    this.synced = options.oneTree ? this.received : new Tree({ prefix: 's/', sha256 })
    const now = options.now ?? (() => 1_000_000)
    this.writer = {
      space: 'test' as SpaceName,
      nextDot: (): Dot => ({ rid: this.rid, seq: ++this.#seq }),
      nextHlc: (): Hlc => {
        this.#hlc = nextHlc(this.#hlc, now() + (options.skewMs ?? 0))
        return this.#hlc
      },
      randomNodeId: (): NodeId => rootOf(`${name} id ${++this.#ids}`).slice(0, 32) as NodeId,
      sha256,
    }
  }

  async commit(ops: readonly UserOp[]): Promise<CommittedOps> {
    const txn = new Transaction(this.store)
    const { synced, received, writer } = this
    const result = await commitOps({ txn, synced, received, ops, writer })
    await txn.commit({ sync: false })
    for (const node of result.nodes) this.#nodes.set(node.id, node)
    return result
  }

  /** Takes registers from a peer. */
  async receive(entries: readonly NodeEntry[]): Promise<void> {
    for (const entry of entries) {
      for (const register of [entry.loc, entry.content, entry.attr]) {
        for (const { hlc } of register) this.#hlc = maxHlc(this.#hlc, hlc)
      }
    }
    const txn = new Transaction(this.store)
    const { nodes } = await this.received.join(txn, entries)
    await txn.commit({ sync: false })
    for (const node of nodes) this.#nodes.set(node.id, node)
  }

  /** Puts what was received on the disk. */
  async materialise(nodes: readonly NodeEntry[] = this.nodes()): Promise<void> {
    const txn = new Transaction(this.store)
    await this.synced.join(txn, nodes)
    await txn.commit({ sync: false })
  }

  /** All that this replica would send. */
  nodes(): NodeEntry[] {
    return [...this.#nodes.values()]
  }

  async entries(tree: Tree = this.synced): Promise<Map<EntryKey, ViewEntry>> {
    const reader = tree.reader(this.store)
    const out = new Map<EntryKey, ViewEntry>()
    const open: NodeId[] = [ROOT]
    for (let dir = open.pop(); dir !== undefined; dir = open.pop()) {
      for await (const page of reader.children(dir)) {
        for (const entry of page) {
          if (out.has(entryKey(entry))) throw new Error(`entry ${entryKey(entry)} is shown twice`)
          out.set(entryKey(entry), entry)
          if (entry.kind === 'dir') open.push(entry.node)
        }
      }
    }
    return out
  }

  /** Path → `dir` or root of the content, sorted. */
  async disk(tree: Tree = this.synced): Promise<Map<string, string>> {
    return pathsOf([...(await this.entries(tree)).values()])
  }

  /** The entry at a path. @throws {TypeError} there is none. */
  async at(path: string): Promise<ViewEntry> {
    const entry = await this.synced.reader(this.store).resolve(path.split('/'))
    if (!entry) throw new TypeError(`nothing at ${path}`)
    return entry
  }

  async keyAt(path: string): Promise<EntryKey> {
    return entryKey(await this.at(path))
  }
}

export function pathsOf(entries: readonly ViewEntry[]): Map<string, string> {
  const dirs = new Map(entries.filter(({ kind }) => kind === 'dir').map((entry) => [entry.node, entry]))
  const pathOf = (entry: ViewEntry): string => {
    if (entry.parent === ROOT) return entry.name
    return `${pathOf(dirs.get(entry.parent)!)}/${entry.name}`
  }
  const paths = entries.map((entry) => [pathOf(entry), entry.version?.root ?? entry.kind] as const)
  return new Map(paths.sort(([a], [b]) => (a < b ? -1 : 1)))
}

/** Everybody gives everybody everything, and puts it on the disk. */
export async function meet(...users: readonly User[]): Promise<void> {
  for (const from of users) {
    const nodes = from.nodes()
    for (const to of users) if (to !== from) await to.receive(nodes)
  }
  for (const user of users) await user.materialise()
}

export const create = (name: string, text: string, parent: NodeId = ROOT): UserOp => ({
  type: 'create',
  ref: name,
  parent: { node: parent },
  name,
  kind: 'file',
  content: bytes(text),
})

export const makeDirectory = (name: string, parent: NodeId = ROOT): UserOp => ({
  type: 'create',
  ref: name,
  parent: { node: parent },
  name,
  kind: 'dir',
})
