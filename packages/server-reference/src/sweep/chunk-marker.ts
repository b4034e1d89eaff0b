import { beginsLikeManifestNode, decodeManifestNode, type SpaceDatabase } from '@tidemark/engine'
import { type ChunkId, ChunksMissingError, type NodeEntry, type SpaceName } from '@tidemark/protocol'
import type { SweepIndex } from '../grants/sweep-index.js'
import type { SweptBlobs } from '../grants/swept-blobs.js'

/** Manifest nodes read at once: each has at most 1,024 children. */
const NODES_AT_ONCE = 16
/** Chunks marked in one change of the index: others wait for it. */
const CHUNKS_PER_CHANGE = 1_024

export interface ChunkMarkerParts {
  readonly space: SpaceName
  readonly database: Pick<SpaceDatabase, 'snapshot' | 'lseq'>
  readonly index: Pick<SweepIndex, 'mark'>
  readonly blobs: Pick<SweptBlobs, 'readNodes'>
  /** When the pass began, which is its name. */
  readonly passMs: number
  readonly signal: AbortSignal
}

/**
 * Marks every chunk that a register of the space names, with all manifest nodes: each content, visible or not, of
 * each node that the hub remembers. A move can show again what is not visible.
 *
 * Holds one page of the log, a few manifest nodes of each level, and no set of ids: what is marked stands in the index.
 */
export class ChunkMarker {
  readonly #parts: ChunkMarkerParts
  #waiting: ChunkId[] = []
  #lseq = 0
  /** Chunks that a register names and the hub lacks. */
  absent = 0

  constructor(parts: ChunkMarkerParts) {
    this.#parts = parts
  }

  /** Whether each register is marked as it is now. */
  get isCurrent(): boolean {
    return this.#parts.database.lseq <= this.#lseq
  }

  /**
   * Marks what has changed since the last call; at the first one, everything.
   * @throws {ChunksMissingError}, {ChunkMismatchError}, {DecodeError}, {LimitError}, {BlobNotFoundError},
   *   {RangeError}, {StoreError} a manifest node cannot be read now: what is below it is not known.
   */
  async catchUp(): Promise<void> {
    while (!this.isCurrent) {
      const snapshot = await this.#parts.database.snapshot()
      try {
        for await (const page of snapshot.log(this.#lseq)) {
          const nodes = await snapshot.nodes(page.map(({ node }) => node))
          await this.#markContents(nodes)
        }
        await this.#flush()
        this.#lseq = snapshot.lseq
      } finally {
        await snapshot.close()
      }
    }
  }

  async #markContents(nodes: readonly (NodeEntry | undefined)[]): Promise<void> {
    const trees: ChunkId[] = []
    for (const node of nodes) {
      // A symlink's target travels with its entry.
      if (node?.kind !== 'file') continue
      for (const { value } of node.content) {
        if (value.root === undefined || (value.height === 0 && value.size === 0)) continue
        if (value.height === 0) await this.#add([value.root])
        else trees.push(value.root)
      }
    }
    await this.#walk(trees)
  }

  async #walk(ids: readonly ChunkId[]): Promise<void> {
    const { space, index, passMs, signal } = this.#parts
    for (let from = 0; from < ids.length; from += NODES_AT_ONCE) {
      signal.throwIfAborted()
      const group = ids.slice(from, from + NODES_AT_ONCE)
      const { absent, unwalked } = await index.mark(space, group, passMs, true)
      if (absent.length > 0) throw new ChunksMissingError(absent)
      const inner: ChunkId[] = []
      for (const bytes of unwalked.length > 0 ? await this.#parts.blobs.readNodes(unwalked) : []) {
        // Whatever its entry says: these bytes name nothing.
        if (!beginsLikeManifestNode(bytes)) continue
        const { level, children } = decodeManifestNode(bytes)
        if (level > 1) inner.push(...children.map(({ id }) => id))
        else await this.#add(children.map(({ id }) => id))
      }
      await this.#walk(inner)
    }
  }

  async #add(ids: readonly ChunkId[]): Promise<void> {
    this.#waiting.push(...ids)
    if (this.#waiting.length >= CHUNKS_PER_CHANGE) await this.#flush()
  }

  async #flush(): Promise<void> {
    const { space, index, passMs, signal } = this.#parts
    signal.throwIfAborted()
    const ids = this.#waiting
    this.#waiting = []
    if (ids.length === 0) return
    this.absent += (await index.mark(space, ids, passMs, false)).absent.length
  }
}
