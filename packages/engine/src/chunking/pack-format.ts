import {
  BLOB_BYTES_MAX,
  type BlobId,
  bytesToHex,
  CHUNK_BYTES_MAX,
  CHUNK_ID_BYTES,
  type ChunkId,
  ChunkMismatchError,
  DecodeError,
  LimitError,
  PACK_CHUNKS_MAX,
  writeHex,
} from '@tidemark/protocol'
import { Budget } from '../memory/budget.js'
import type { Compressor } from '../ports/compressor.js'
import type { Hasher } from '../ports/hasher.js'
import { HashQueue } from './hash-queue.js'
import { flawOf, PLAIN, plainBytes, type StoredForm } from './stored-chunk.js'

/** A chunk inside a pack. */
export interface PackedChunk extends StoredForm {
  readonly id: ChunkId
  /** Bytes from the start of the pack. */
  readonly offset: number
}

/** A chunk that goes into a pack. */
export interface ChunkToPack {
  readonly id: ChunkId
  /** As it is stored. */
  readonly bytes: Uint8Array
  /** How: see `StoredForm`. @default plain */
  readonly codec?: number
  /** Plain bytes. @default those that are stored */
  readonly length?: number
}

export interface BuiltPack {
  readonly id: BlobId
  readonly bytes: Uint8Array
  readonly chunks: readonly PackedChunk[]
}

/** id (32), codec (1), storedLength (4), length (4), big-endian. */
const ENTRY_BYTES = CHUNK_ID_BYTES + 9
/** Length of the index (4), version (1), magic (4). */
const FOOTER_BYTES = 9
const MAGIC = 0x544d_504b
const VERSION = 1
/** What the packs that are verified at once inflate to: whoever counts their own bytes counts a thousandth of a bomb. */
const INFLATED_BYTES_MAX = 2 * BLOB_BYTES_MAX

/** Bytes of a pack of these chunks. */
export const packLength = (chunkCount: number, chunkBytes: number): number =>
  chunkBytes + chunkCount * ENTRY_BYTES + FOOTER_BYTES

/**
 * Packs, as bytes: the chunks back to back, an index of them in the same order, and a footer. Offsets are
 * not written but follow from the lengths: chunks cannot overlap, and no byte belongs to none.
 */
export class PackFormat {
  readonly #inflated = new Budget(INFLATED_BYTES_MAX, Number.POSITIVE_INFINITY)

  constructor(
    private readonly hasher: Hasher,
    private readonly compressor: Compressor,
  ) {}

  /**
   * What is inside, every chunk inflated, hashed and found to be what its id says. Waits while others hold too much
   * that is inflated.
   * @throws {DecodeError}, {LimitError} no pack; {ChunkMismatchError} a chunk is not what its id says.
   */
  async verify(bytes: Uint8Array): Promise<readonly PackedChunk[]> {
    const chunks = decodeIndex(bytes)
    const inflated = chunks.reduce((sum, { codec, length }) => sum + (codec === PLAIN ? 0 : length), 0)
    if (inflated === 0) return this.#verified(bytes, chunks)
    const release = await this.#inflated.take(inflated, undefined)
    try {
      return await this.#verified(bytes, chunks)
    } finally {
      release()
    }
  }

  async #verified(bytes: Uint8Array, chunks: readonly PackedChunk[]): Promise<readonly PackedChunk[]> {
    const hashes = new HashQueue(this.hasher)
    let wrong: ChunkMismatchError | undefined
    try {
      for (const chunk of chunks) {
        const { id, offset, storedLength } = chunk
        const plain = await this.plain(bytes.subarray(offset, offset + storedLength), chunk)
        await hashes.add(plain, (digest) => {
          const actual = bytesToHex(digest)
          if (actual !== id) wrong ??= new ChunkMismatchError(id, actual)
        })
        if (wrong) break
      }
    } finally {
      await hashes.settled()
    }
    if (wrong) throw wrong
    return chunks
  }

  /** The bytes of a chunk. Precondition: it stands so in a pack. @throws {DecodeError} not what was compressed. */
  plain(stored: Uint8Array, form: Pick<StoredForm, 'codec' | 'length'>): Promise<Uint8Array> {
    return plainBytes(stored, form, this.compressor)
  }

  /**
   * One pack of these chunks, in this order. Precondition: each chunk hashes to its id.
   * @throws {LimitError} too many chunks or bytes.
   */
  async build(chunks: readonly ChunkToPack[]): Promise<BuiltPack> {
    const sum = chunks.reduce((total, { bytes }) => total + bytes.length, 0)
    checkLength(packLength(chunks.length, sum))
    const pack = new Uint8Array(packLength(chunks.length, sum))
    let offset = 0
    for (const { bytes } of chunks) {
      pack.set(bytes, offset)
      offset += bytes.length
    }
    return this.finish(
      pack,
      chunks.map(({ id, bytes, codec = PLAIN, length = bytes.length }) => ({
        id,
        codec,
        storedLength: bytes.length,
        length,
      })),
    )
  }

  /**
   * Writes index and footer behind chunks that stand in `pack` already, back to back from its start.
   * @param pack Of `packLength(…)` bytes. Taken over. Precondition: each chunk hashes to its id.
   * @throws {LimitError} too many chunks or bytes.
   */
  async finish(
    pack: Uint8Array,
    chunks: readonly (StoredForm & { readonly id: ChunkId })[],
  ): Promise<BuiltPack> {
    checkCount(chunks.length)
    checkLength(pack.length)
    const view = new DataView(pack.buffer, pack.byteOffset, pack.byteLength)
    const packed: PackedChunk[] = []
    let at = pack.length - FOOTER_BYTES - chunks.length * ENTRY_BYTES
    let [offset, plain] = [0, 0]
    for (const { id, codec, storedLength, length } of chunks) {
      writeHex(id, pack, at)
      view.setUint8(at + CHUNK_ID_BYTES, codec)
      view.setUint32(at + CHUNK_ID_BYTES + 1, storedLength)
      view.setUint32(at + CHUNK_ID_BYTES + 5, length)
      packed.push({ id, offset, storedLength, codec, length })
      offset += storedLength
      plain += length
      at += ENTRY_BYTES
    }
    checkPlain(plain)
    view.setUint32(at, chunks.length * ENTRY_BYTES)
    view.setUint8(at + 4, VERSION)
    view.setUint32(at + 5, MAGIC)
    const id = bytesToHex(await this.hasher.sha256Async(pack)) as BlobId
    return { id, bytes: pack, chunks: packed }
  }
}

function decodeIndex(pack: Uint8Array): PackedChunk[] {
  checkLength(pack.length)
  if (pack.length < FOOTER_BYTES) throw new DecodeError('pack: shorter than a footer')
  const view = new DataView(pack.buffer, pack.byteOffset, pack.byteLength)
  const footer = pack.length - FOOTER_BYTES
  if (view.getUint32(footer + 5) !== MAGIC) throw new DecodeError('pack: no magic')
  const version = view.getUint8(footer + 4)
  if (version !== VERSION) throw new DecodeError(`pack: unknown version ${version}`)
  const indexLength = view.getUint32(footer)
  if (indexLength % ENTRY_BYTES !== 0 || indexLength > footer) throw new DecodeError('pack: no index')
  checkCount(indexLength / ENTRY_BYTES)
  const end = footer - indexLength
  const chunks: PackedChunk[] = []
  let [offset, plain] = [0, 0]
  for (let at = end; at < footer; at += ENTRY_BYTES) {
    const id = bytesToHex(pack.subarray(at, at + CHUNK_ID_BYTES)) as ChunkId
    const codec = view.getUint8(at + CHUNK_ID_BYTES)
    const storedLength = view.getUint32(at + CHUNK_ID_BYTES + 1)
    const length = view.getUint32(at + CHUNK_ID_BYTES + 5)
    if (length > CHUNK_BYTES_MAX) throw new LimitError('pack: a chunk is too long', 'CHUNK_BYTES_MAX', length)
    const flaw = flawOf({ codec, storedLength, length })
    if (flaw !== undefined) throw new DecodeError(`pack: ${flaw}`)
    if (storedLength > end - offset) throw new DecodeError('pack: a chunk reaches into the index')
    chunks.push({ id, offset, storedLength, codec, length })
    offset += storedLength
    plain += length
    checkPlain(plain)
  }
  if (offset !== end) throw new DecodeError('pack: bytes that belong to no chunk')
  return chunks
}

function checkLength(length: number): void {
  if (length > BLOB_BYTES_MAX) throw new LimitError('pack: too long', 'BLOB_BYTES_MAX', length)
}

/** Bounds what a reader of all of it holds, or hashes. */
function checkPlain(length: number): void {
  if (length > BLOB_BYTES_MAX) throw new LimitError('pack: holds too much', 'BLOB_BYTES_MAX', length)
}

function checkCount(count: number): void {
  if (count < 1) throw new DecodeError('pack: empty')
  if (count > PACK_CHUNKS_MAX) throw new LimitError('pack: too many chunks', 'PACK_CHUNKS_MAX', count)
}
