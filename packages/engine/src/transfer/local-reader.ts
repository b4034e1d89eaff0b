import { bytesToHex, type ChunkId } from '@tidemark/protocol'
import type { Hasher } from '../ports/hasher.js'
import type { LocalChunks } from './local-chunks.js'

/** Local chunks, verified: one that is damaged is none. */
export class LocalReader {
  constructor(
    private readonly hasher: Hasher,
    private readonly local: Pick<LocalChunks, 'get'> | undefined,
  ) {}

  async read(id: ChunkId): Promise<Uint8Array | undefined> {
    const bytes = await this.local?.get(id)
    return bytes && (await this.isChunk(id, bytes)) ? bytes : undefined
  }

  async isChunk(id: ChunkId, bytes: Uint8Array): Promise<boolean> {
    return bytesToHex(await this.hasher.sha256Async(bytes)) === id
  }
}
