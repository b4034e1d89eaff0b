import type { ChunkId, Hint, UploadId } from '@tidemark/protocol'
import type { ChunkList } from '../binding.js'
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

  /** These chunks are at the hub. */
  stored(offset: number, list: ChunkList): void {
    if (!this.#tell) return
    const chunks = Array.from(list.lengths, (length, i) => ({ id: chunkIdAt(list, i), length }))
    this.#tell({ offset, chunks })
  }

  /** All of them are, with the nodes above. */
  finished(root: ChunkId): void {
    this.#tell?.({ offset: 0, chunks: [], root })
  }
}
