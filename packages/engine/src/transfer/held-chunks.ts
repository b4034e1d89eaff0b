import type { ChunkId } from '@tidemark/protocol'
import type { HeldFile } from '../binding.js'
import { type ReadManifestOptions, readManifest } from '../chunking/read-manifest.js'
import type { ByteSource } from '../ports/byte-source.js'

/** Chunks of files at hand whose places are remembered, about 150 bytes each. */
const CHUNKS_MAX = 262_144

interface Place {
  readonly file: OpenedFile
  /** Bytes from the start of the file. */
  readonly offset: number
  readonly length: number
}

/**
 * Chunks of files that are on this device, such as the version before. They only help: a file that is gone,
 * was changed, or whose manifest nobody has any more holds nothing.
 */
export class HeldChunks {
  readonly #places = new Map<ChunkId, Place>()
  readonly #files: OpenedFile[] = []

  /** Learns where the chunks of this file are. */
  async add(held: HeldFile, nodes: ReadManifestOptions, signal: AbortSignal): Promise<void> {
    const { root, height, size } = held.version
    const file = new OpenedFile(held)
    this.#files.push(file)
    try {
      for await (const { id, offset, length } of readManifest(root, height, size, nodes)) {
        if (this.#places.size >= CHUNKS_MAX) return
        if (!this.#places.has(id)) this.#places.set(id, { file, offset, length })
      }
    } catch {
      signal.throwIfAborted()
    }
  }

  /** Not verified: whoever asks hashes. */
  async read(id: ChunkId, length: number): Promise<Uint8Array | undefined> {
    const place = this.#places.get(id)
    return place?.length === length ? place.file.read(place.offset, length) : undefined
  }

  async close(): Promise<void> {
    for (const file of this.#files) await file.close()
  }
}

/** Opened with the first read; after a failure it has nothing. */
class OpenedFile {
  #source: Promise<ByteSource> | undefined
  #isOver = false

  constructor(private readonly held: HeldFile) {}

  async read(offset: number, length: number): Promise<Uint8Array | undefined> {
    if (this.#isOver) return undefined
    try {
      this.#source ??= this.held.open()
      return await (await this.#source).read(offset, length)
    } catch {
      // Gone or changed since: its chunks come from the hub.
      this.#isOver = true
      return undefined
    }
  }

  async close(): Promise<void> {
    this.#isOver = true
    const source = await this.#source?.catch(() => undefined)
    await source?.close()
  }
}
