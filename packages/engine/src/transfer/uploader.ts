import {
  FRAME_BYTES_TARGET,
  INLINE_BYTES_MAX,
  PACK_BYTES_TARGET,
  PACK_CHUNKS_MAX,
  StoreError,
  TRANSFER_BYTES_IN_FLIGHT_MAX,
} from '@tidemark/protocol'
import type { Upload } from '../binding.js'
import { type BuiltPack, PackFormat, packLength } from '../chunking/pack-format.js'
import { Budget } from './budget.js'
import { DurableBytes } from './durable-bytes.js'
import { readPieces } from './piece-reader.js'
import { TaskGroup } from './task-group.js'
import { mustAuthority, mustClient, type TransferParts } from './transfer-parts.js'
import { checkFile, type Piece, questions } from './upload-walk.js'

/** Packs made and sent at once. */
const BODIES_MAX = 6
/** What one question finds needed goes by message up to this many bytes: two round trips fewer than a pack. */
const INLINE_TOTAL_BYTES_MAX = 1024 * 1024
/** Messages of inline bytes on their way at once. */
const INLINE_MESSAGES_MAX = 4

export interface UploadOptions {
  readonly signal?: AbortSignal
  /** Bytes of the files that are durable at the hub, in all; never decreases. */
  onProgress?(durableBytes: number): void
}

/**
 * Brings what the hub lacks of many files to it: small amounts by message, the rest in packs, put straight
 * into the store. Every chunk is read again and hashed before it is sent.
 *
 * Nothing is kept between calls: after a crash the hub is asked again and says what it still lacks.
 */
export class Uploader {
  readonly #bodies = new Budget(TRANSFER_BYTES_IN_FLIGHT_MAX, BODIES_MAX)
  readonly #messages = new Budget(INLINE_MESSAGES_MAX * FRAME_BYTES_TARGET, INLINE_MESSAGES_MAX)
  readonly #packs: PackFormat

  constructor(private readonly parts: TransferParts) {
    this.#packs = new PackFormat(parts.hasher)
  }

  /**
   * Resolves when the hub has verified and stored every chunk and manifest node of the files.
   * Without a session it waits for one until `signal` aborts.
   *
   * @throws {SourceChangedError} a file is no longer what was chunked; what the hub refused; the signal's
   *   reason. What was stored until then stays stored.
   */
  async ensureStored(uploads: readonly Upload[], options: UploadOptions = {}): Promise<void> {
    for (const upload of uploads) checkFile(upload)
    const durable = new DurableBytes(options.onProgress && ((bytes) => options.onProgress?.(bytes)))
    const group = new TaskGroup(options.signal)
    const { signal } = group
    await group.run(async () => {
      let pack: Piece[] = []
      let packBytes = 0
      const send = (): Promise<void> => {
        const pieces = pack
        pack = []
        packBytes = 0
        return pieces.length === 0 ? Promise.resolve() : this.#spawnPack(pieces, group, durable)
      }
      for (const asked of questions(uploads)) {
        const needed = await this.#needed(durable.meet(asked), durable, signal)
        if (fitsInline(needed)) {
          for (const message of messages(needed)) await this.#spawnInline(message, group, durable)
          continue
        }
        for (const piece of needed) {
          const full = packBytes + piece.length > PACK_BYTES_TARGET || pack.length === PACK_CHUNKS_MAX
          if (pack.length > 0 && full) await send()
          pack.push(piece)
          packBytes += piece.length
        }
      }
      await send()
    })
  }

  async #needed(pieces: readonly Piece[], durable: DurableBytes, signal: AbortSignal): Promise<Piece[]> {
    if (pieces.length === 0) return []
    const ids = pieces.map(({ id }) => id)
    const answer = await this.parts.retry.run(signal, () => mustAuthority(this.parts).need(ids, signal))
    const lacking = new Set(answer)
    durable.settle(pieces.filter(({ id }) => !lacking.has(id)))
    return pieces.filter(({ id }) => lacking.has(id))
  }

  /** Waits for room, then goes on in the background. */
  async #spawnInline(pieces: readonly Piece[], group: TaskGroup, durable: DurableBytes): Promise<void> {
    const { signal } = group
    const length = sumOf(pieces)
    const release = await this.#messages.take(length, signal)
    group.spawn(async () => {
      try {
        const bytes = new Uint8Array(length)
        await readPieces(pieces, bytes, this.parts.hasher, signal)
        let at = 0
        const chunks = pieces.map((piece) => {
          at += piece.length
          return { id: piece.id, bytes: bytes.subarray(at - piece.length, at) }
        })
        await this.parts.retry.run(signal, () => mustAuthority(this.parts).putInline(chunks, signal))
        durable.settle(pieces)
      } finally {
        release()
      }
    })
  }

  /** Waits for room, then goes on in the background. */
  async #spawnPack(pieces: readonly Piece[], group: TaskGroup, durable: DurableBytes): Promise<void> {
    const { signal } = group
    const length = packLength(pieces.length, sumOf(pieces))
    const release = await this.#bodies.take(length, signal)
    group.spawn(async () => {
      try {
        const body = new Uint8Array(length)
        await readPieces(pieces, body, this.parts.hasher, signal)
        await this.#store(await this.#packs.finish(body, pieces), signal)
        durable.settle(pieces)
      } finally {
        release()
      }
    })
  }

  /** Each attempt asks for a grant of its own: the last one may be over, or the blob stored meanwhile. */
  #store({ id, bytes }: BuiltPack, signal: AbortSignal): Promise<void> {
    const { parts } = this
    return parts.retry.run(signal, async () => {
      const [grant] = await mustAuthority(parts).grantPuts([{ id, length: bytes.length }], signal)
      if (grant === null) return
      if (grant === undefined) throw new StoreError('the hub answered without a grant')
      await mustClient(parts).put(grant, bytes, { signal })
      const stored = await mustAuthority(parts).stored([id], signal)
      if (!stored.includes(id)) throw new StoreError('the hub did not find the uploaded pack whole')
    })
  }
}

function fitsInline(pieces: readonly Piece[]): boolean {
  return sumOf(pieces) <= INLINE_TOTAL_BYTES_MAX && pieces.every(({ length }) => length <= INLINE_BYTES_MAX)
}

/** Divides pieces into messages of about FRAME_BYTES_TARGET. */
function* messages(pieces: readonly Piece[]): Generator<readonly Piece[], void, undefined> {
  let message: Piece[] = []
  let bytes = 0
  for (const piece of pieces) {
    if (message.length > 0 && bytes + piece.length > FRAME_BYTES_TARGET) {
      yield message
      message = []
      bytes = 0
    }
    message.push(piece)
    bytes += piece.length
  }
  if (message.length > 0) yield message
}

const sumOf = (pieces: readonly Piece[]): number => pieces.reduce((sum, { length }) => sum + length, 0)
