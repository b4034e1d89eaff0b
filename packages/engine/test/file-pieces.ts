import type { ChunkId } from '@tidemark/protocol'
import { chunkIdAt } from '../src/chunking/chunk-list.js'
import { chunkSource } from '../src/chunking/chunk-source.js'
import { nodeHasher } from '../src/node/node-hasher.js'
import { MemorySource } from './bytes.js'

/** A file as a device has it: what names it, and all that has to be stored, manifest nodes last. */
export interface FileInPieces {
  readonly root: ChunkId
  readonly height: number
  readonly size: number
  readonly pieces: readonly { readonly id: ChunkId; readonly bytes: Uint8Array }[]
}

export async function fileInPieces(bytes: Uint8Array): Promise<FileInPieces> {
  const { root, height, size, chunks, manifest } = await chunkSource(new MemorySource(bytes), {
    hasher: nodeHasher,
  })
  let end = 0
  const pieces = Array.from(chunks.lengths, (length, i) => {
    end += length
    return { id: chunkIdAt(chunks, i), bytes: bytes.slice(end - length, end) }
  })
  return { root, height, size, pieces: [...pieces, ...manifest] }
}
