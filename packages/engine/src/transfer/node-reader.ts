import { type ChunkId, ChunksMissingError } from '@tidemark/protocol'
import { MANIFEST_NODE_BYTES_MAX } from '../chunking/manifest-node.js'
import type { ChunkFetcher } from './chunk-fetcher.js'
import type { LocalReader } from './local-reader.js'

/** Nodes kept of the files fetched last: versions of one file share most of theirs. */
const NODES_KEPT_MAX = 256

/** Manifest nodes: from memory, from the local chunks, from the hub. */
export class NodeReader {
  /** In order of last use. */
  readonly #kept = new Map<ChunkId, Uint8Array>()

  constructor(
    private readonly fetcher: ChunkFetcher,
    private readonly local: LocalReader,
  ) {}

  /** In the order asked. @throws {ChunksMissingError}, {ChunkMismatchError}; what the fetcher throws. */
  async read(ids: readonly ChunkId[], signal: AbortSignal): Promise<readonly Uint8Array[]> {
    const found = new Map<ChunkId, Uint8Array>()
    const lacking = new Set<ChunkId>()
    for (const id of ids) {
      const bytes = this.#kept.get(id) ?? (await this.local.read(id))
      if (bytes) found.set(id, bytes)
      else lacking.add(id)
    }
    if (lacking.size > 0) {
      const { missing, wrong } = await this.fetcher.fetch(
        {
          ids: lacking,
          isWanted: (_, length) => length <= MANIFEST_NODE_BYTES_MAX,
          deliver: async (chunks) => {
            // Copied: the range around it may be much larger.
            for (const { id, bytes } of chunks) found.set(id, bytes.slice())
          },
        },
        signal,
      )
      if (wrong[0]) throw wrong[0]
      if (missing.length > 0) throw new ChunksMissingError(missing)
    }
    return ids.map((id) => {
      const bytes = found.get(id)!
      this.#keep(id, bytes)
      return bytes
    })
  }

  #keep(id: ChunkId, bytes: Uint8Array): void {
    this.#kept.delete(id)
    this.#kept.set(id, bytes)
    if (this.#kept.size <= NODES_KEPT_MAX) return
    const [oldest] = this.#kept.keys()
    this.#kept.delete(oldest!)
  }
}
