import type { ChunkId, Hint, HintedChunk, UploadId } from '@tidemark/protocol'
import type { ChunkList } from '../chunking/chunk-list.js'
import { chunkIdAt } from '../chunking/chunk-list.js'

/** Smaller files are there as soon as a hint would be. */
const HINTED_BYTES_MIN = 8 * 1024 * 1024

/** What a hint says, to whomever. */
export type UploadHint = Omit<Hint, 'type' | 'channel'>

export interface HintSender {
  newUploadId(): UploadId
  tell(hint: UploadHint): void
}

/** Tells others of one file that is on its way up, part by part, in any order. */
export class UploadHints {
  readonly #tell: ((hint: Pick<UploadHint, 'offset' | 'chunks' | 'root'>) => void) | undefined

  constructor(sender: HintSender | undefined, size: number) {
    if (!sender || size < HINTED_BYTES_MIN) return
    const upload = sender.newUploadId()
    this.#tell = (hint) => sender.tell({ upload, size, ...hint })
  }

  /**
   * Those of these chunks that were sent are at the hub now. The others it had: so has whoever follows, as a rule,
   * in the version before or in another file.
   *
   * @param offset Of the first chunk in the file, bytes.
   */
  stored(offset: number, list: ChunkList, sent: ReadonlySet<ChunkId>): void {
    if (!this.#tell) return
    let at = offset
    let run: { readonly offset: number; readonly chunks: HintedChunk[] } | undefined
    for (let i = 0; i < list.count; i++) {
      const [id, length] = [chunkIdAt(list, i), list.lengths[i]!]
      if (sent.has(id)) {
        run ??= { offset: at, chunks: [] }
        run.chunks.push({ id, length })
      } else {
        if (run) this.#tell(run)
        run = undefined
      }
      at += length
    }
    if (run) this.#tell(run)
  }

  /** All of them are, with the nodes above. */
  finished(root: ChunkId): void {
    this.#tell?.({ offset: 0, chunks: [], root })
  }
}
