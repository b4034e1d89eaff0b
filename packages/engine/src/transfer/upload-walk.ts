import { CHUNK_ID_BYTES, type ChunkId, IDS_PER_REQUEST_MAX } from '@tidemark/protocol'
import type { Upload } from '../binding.js'
import { chunkIdAt } from '../chunking/chunk-list.js'

/** Something that must be stored, and where its bytes are. */
export interface Piece {
  readonly id: ChunkId
  /** Plain bytes. */
  readonly length: number
  readonly from:
    | {
        readonly type: 'source'
        readonly upload: Upload /** Bytes from its start. */
        readonly offset: number
      }
    | { readonly type: 'memory'; readonly bytes: Uint8Array }
}

/** Every chunk and manifest node of the files, in file order; a file's nodes after what they name. */
function* pieces(uploads: readonly Upload[]): Generator<Piece, void, undefined> {
  for (const upload of uploads) {
    const { chunks, manifest } = upload.file
    let offset = 0
    for (let i = 0; i < chunks.count; i++) {
      const length = chunks.lengths[i]!
      yield { id: chunkIdAt(chunks, i), length, from: { type: 'source', upload, offset } }
      offset += length
    }
    for (const { id, bytes } of manifest) yield { id, length: bytes.length, from: { type: 'memory', bytes } }
  }
}

/** As many pieces as one question may ask about. */
export function* questions(uploads: readonly Upload[]): Generator<readonly Piece[], void, undefined> {
  let group: Piece[] = []
  for (const piece of pieces(uploads)) {
    group.push(piece)
    if (group.length < IDS_PER_REQUEST_MAX) continue
    yield group
    group = []
  }
  if (group.length > 0) yield group
}

/** @throws {TypeError} the lists of a file contradict each other: a defect of the caller. */
export function checkFile({ file }: Upload): void {
  const { count, ids, lengths } = file.chunks
  if (count < 1 || ids.length !== count * CHUNK_ID_BYTES || lengths.length !== count) {
    throw new TypeError('upload: ids, lengths and count of the chunks differ')
  }
}
