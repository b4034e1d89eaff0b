import { bytesToHex, type ChunkId, PACK_BYTES_TARGET } from '@tidemark/protocol'
import type { ChunkedFile } from '../binding.js'
import type { ByteSource } from '../ports/byte-source.js'
import type { Gear } from '../ports/gear.js'
import type { Hasher } from '../ports/hasher.js'
import { chunkBounds, chunkClass } from './chunk-class.js'
import type { ChunkList } from './chunk-list.js'
import { ChunkListBuilder, chunkBytesIn } from './chunk-list.js'
import { Cutter } from './cutter.js'
import { HashQueue } from './hash-queue.js'
import { beginsLikeManifestNode } from './manifest-node.js'
import { buildManifest } from './manifest-tree.js'
import { packLength } from './pack-format.js'

/** One read, bytes; one more is under way while it is cut. */
const READ_BYTES = 1024 * 1024

/** Memory for one window at a time. */
export interface WindowMemory {
  /** Waits for room. @returns exactly `length` bytes. @throws the signal's reason. */
  take(length: number, signal: AbortSignal | undefined): Promise<Uint8Array>
  give(memory: Uint8Array): void
}

/** Consecutive chunks of a file, in memory. */
export interface Window {
  /** The chunks back to back from its start, and behind them room for the index of a pack of them. */
  readonly memory: Uint8Array
  /** Of its first chunk in the file, bytes. */
  readonly offset: number
  /** `WindowOptions.isSettled` before its first byte was read. */
  readonly isSettled: boolean
  /** Its chunks, when they are hashed. @throws what the hasher threw. */
  chunks(): Promise<ChunkList>
}

export interface WindowOptions {
  readonly hasher: Hasher
  /** @default see `systemGear` */
  readonly gear?: Gear | undefined
  readonly memory: WindowMemory
  readonly signal?: AbortSignal | undefined
  /** Bytes a read. The result does not depend on it. @default 1 MiB */
  readonly readBytes?: number | undefined
  /** Chunks from `offset` on, where a chunk begins, that need not be read. Never the last ones of the file. */
  known?(offset: number): ChunkList | undefined
  onKnown?(offset: number, chunks: ChunkList): void
  /** Whether a change of the source from now on cannot go unseen. @default false */
  isSettled?(): boolean
  /** Takes a window over, whose memory it gives back when it has done with it. The next one does not wait. */
  onWindow(window: Window): void
}

/**
 * Reads a source once, in windows of about PACK_BYTES_TARGET bytes; divides it into chunks, hashes them and
 * builds the manifest above them. Memory: the windows that are lent, and 36 bytes a chunk.
 *
 * Precondition: more than one chunk's worth of bytes (`ONE_CHUNK_BYTES_MAX`).
 *
 * @throws {SourceChangedError} from the source; what the hasher threw; the signal's reason.
 */
export async function chunkWindows(source: ByteSource, options: WindowOptions): Promise<ChunkedFile> {
  const { memory, hasher, signal, onWindow } = options
  const { size } = source
  const sizes = chunkClass(size)
  const { min, max } = chunkBounds(sizes)
  const windowBytes = Math.min(size, Math.max(PACK_BYTES_TARGET, max))
  // The last chunk of a file may be shorter than the minimum.
  const length = packLength(Math.ceil(windowBytes / min) + 1, windowBytes)
  const cutter = new Cutter(sizes, options.gear)
  const builder = new ChunkListBuilder()
  const hashing: Promise<void>[] = []
  let looksLikeNode = false
  let isSettled = true
  /** Where the next chunk begins. */
  let offset = 0
  /** Bytes of it that were read with the window before. */
  let begun: Uint8Array = new Uint8Array()
  while (offset < size) {
    signal?.throwIfAborted()
    const known = options.known?.(offset)
    const knownEnd = offset + (known ? chunkBytesIn(known) : 0)
    if (known && knownEnd < size) {
      builder.append(known)
      options.onKnown?.(offset, known)
      offset = knownEnd
      begun = new Uint8Array()
      cutter.reset()
      continue
    }
    const lent = await memory.take(length, signal)
    // What was read with the window before counts too.
    isSettled = (begun.length === 0 || isSettled) && (options.isSettled?.() ?? false)
    const window = new WindowBuilder(lent, begun, builder, hasher)
    const end = Math.min(windowBytes, size - offset)
    try {
      const from = offset + begun.length
      for await (const filled of fill(source, from, lent.subarray(begun.length, end), options)) {
        await window.cut(begun.length + filled, cutter)
      }
      if (offset + end === size) await window.endChunk(end)
    } catch (error) {
      // Until then its memory is read.
      await window.hashed().catch(() => undefined)
      memory.give(lent)
      throw error
    }
    begun = window.rest(end)
    looksLikeNode ||= offset === 0 && beginsLikeManifestNode(lent.subarray(0, builder.lengthAt(0)))
    const hashed = window.hashed()
    // What it ends with is reported at the end of the file, and to those who ask for the chunks.
    hashed.catch(() => undefined)
    hashing.push(hashed)
    onWindow({ memory: lent, offset, isSettled, chunks: () => hashed.then(() => window.chunks) })
    offset += end - begun.length
  }
  await Promise.all(hashing)
  const chunks = builder.build()
  if (chunks.count === 1 && !looksLikeNode) {
    return { root: bytesToHex(chunks.ids) as ChunkId, height: 0, size, chunks, manifest: [] }
  }
  return { ...buildManifest(chunks, size, hasher), size, chunks }
}

/** Fills `into` from the source, the next read already under way. @yields bytes that are there, in all. */
async function* fill(
  source: ByteSource,
  offset: number,
  into: Uint8Array,
  { readBytes = READ_BYTES, signal }: WindowOptions,
): AsyncGenerator<number, void, undefined> {
  const start = async (from: number): Promise<number> => {
    const part = into.subarray(from, from + readBytes)
    const bytes = await source.read(offset + from, part.length, part)
    if (bytes.buffer !== part.buffer || bytes.byteOffset !== part.byteOffset) part.set(bytes)
    return from + part.length
  }
  let next = start(0)
  try {
    for (let filled = 0; filled < into.length; ) {
      filled = await next
      signal?.throwIfAborted()
      if (filled < into.length) next = start(filled)
      yield filled
    }
  } finally {
    // The memory is not ours any more when this ends.
    await next.catch(() => undefined)
  }
}

/** One window while it is filled. */
class WindowBuilder {
  /** Index of its first chunk in the file. */
  readonly #first: number
  readonly #hashes: HashQueue
  #count = 0
  /** Bytes that the cutter has seen. */
  #seen: number
  /** Where the chunk that goes on began. */
  #start = 0

  constructor(
    private readonly memory: Uint8Array,
    begun: Uint8Array,
    private readonly list: ChunkListBuilder,
    hasher: Hasher,
  ) {
    memory.set(begun)
    this.#seen = begun.length
    this.#first = list.count
    this.#hashes = new HashQueue(hasher)
  }

  async cut(filled: number, cutter: Cutter): Promise<void> {
    const bytes = this.memory.subarray(0, filled)
    for (let to = cutter.next(bytes, this.#seen); to >= 0; to = cutter.next(bytes, this.#seen)) {
      await this.endChunk(to)
      this.#seen = to
    }
    this.#seen = filled
  }

  /** There is a boundary at `end`, if anything is left before it. */
  async endChunk(end: number): Promise<void> {
    const start = this.#start
    if (start === end) return
    this.#start = end
    this.#count++
    const index = this.list.add(end - start)
    await this.#hashes.add(this.memory.subarray(start, end), (id) => this.list.setId(index, id))
  }

  /** A copy of what belongs to no chunk yet. */
  rest(end: number): Uint8Array {
    return this.memory.slice(this.#start, end)
  }

  /** Then nobody reads the memory for it any more. */
  hashed(): Promise<void> {
    return this.#hashes.settled()
  }

  /** Precondition: hashed. */
  get chunks(): ChunkList {
    return this.list.slice(this.#first, this.#count)
  }
}
