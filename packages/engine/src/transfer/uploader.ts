import {
  FRAME_BYTES_TARGET,
  PACK_BYTES_TARGET,
  PACK_CHUNKS_MAX,
  SourceChangedError,
  StoreError,
  TRANSFER_BYTES_IN_FLIGHT_MAX,
} from '@tidemark/protocol'
import type { ChunkedFile, StoreOptions, TransferOptions, Upload } from '../binding.js'
import { ONE_CHUNK_BYTES_MAX } from '../chunking/chunk-class.js'
import { chunkIdAt } from '../chunking/chunk-list.js'
import { chunkBytes } from '../chunking/chunk-source.js'
import { chunkWindows, type Window } from '../chunking/chunk-windows.js'
import { type BuiltPack, PackFormat, packLength } from '../chunking/pack-format.js'
import { Budget } from '../memory/budget.js'
import { LentBuffers } from '../memory/lent-buffers.js'
import type { ByteSource } from '../ports/byte-source.js'
import type { Gear } from '../ports/gear.js'
import type { BodyCompressor } from './body-compressor.js'
import { keptOpen } from './byte-streams.js'
import { DurableBytes } from './durable-bytes.js'
import { fitsInline, messages } from './inline-messages.js'
import { SMALL_BODY_BYTES_MAX } from './lane.js'
import { type InTurn, LARGE_BODIES_MAX, type LargeBodies } from './large-bodies.js'
import { readPieces } from './piece-reader.js'
import { ONE_ATTEMPT, type RetryPolicy } from './retry.js'
import { TaskGroup } from './task-group.js'
import { mustAuthority, mustClient, type TransferParts } from './transfer-parts.js'
import { type HintSender, UploadHints } from './upload-hints.js'
import type { FileJournal, UploadJournal } from './upload-journal.js'
import {
  checkFile,
  chunkPieces,
  filePieces,
  nodePieces,
  type Piece,
  type PieceSource,
  questions,
  sumOf,
} from './upload-walk.js'
import { compact, copied, memoryPiece, windowPieces } from './window-pieces.js'

/** Messages of inline bytes, and small files, on their way at once: with a budget of their own they overtake large ones. */
const SMALL_BODIES_MAX = 4

export interface UploaderParts extends TransferParts {
  readonly compression: BodyCompressor
  /** Shared by all spaces of a replica, as `pace` is. */
  readonly largeBodies: LargeBodies
  /** @default see `systemGear` */
  readonly gear?: Gear | undefined
  /** Where `store` remembers what it chunked. */
  readonly journal?: UploadJournal
  /** Who hears of large files while they are stored. */
  readonly hints?: HintSender
}

/** What the calls of one `ensureStored` or `store` share. */
interface Run {
  readonly windows: LentBuffers
  readonly group: TaskGroup
  readonly durable: DurableBytes
  readonly retry: Pick<RetryPolicy, 'run'>
  /** What waits for a pack of its own to be full. */
  pack: Piece[]
  packBytes: number
}

/**
 * Brings what the hub lacks of files to it: small amounts by message, the rest in packs, put straight into
 * the store.
 *
 * Nothing is kept between calls: after a crash the hub is asked again and says what it still lacks.
 */
export class Uploader {
  readonly #bodies = new Budget(TRANSFER_BYTES_IN_FLIGHT_MAX, LARGE_BODIES_MAX)
  readonly #windows = new LentBuffers(this.#bodies)
  readonly #small = new Budget(SMALL_BODIES_MAX * FRAME_BYTES_TARGET, SMALL_BODIES_MAX)
  readonly #smallWindows = new LentBuffers(this.#small)
  readonly #packs: PackFormat

  constructor(private readonly parts: UploaderParts) {
    this.#packs = new PackFormat(parts.hasher, parts.compressor)
  }

  /**
   * Resolves when the hub has verified and stored every chunk and manifest node of the files. Every chunk is
   * read again and hashed before it is sent. Without a session it waits for one until `signal` aborts.
   *
   * @throws {SourceChangedError} a file is no longer what was chunked; what the hub refused; the signal's
   *   reason. What was stored until then stays stored.
   */
  async ensureStored(uploads: readonly Upload[], options: TransferOptions = {}): Promise<void> {
    await this.#ensureStored(uploads, begin(options, this.#windows, this.parts.retry))
  }

  /**
   * As `ensureStored`, and whatever fails is thrown at the first attempt, for who brings it about again.
   *
   * @throws {TransportError} there is no session, or it ends; what the store answered; as `ensureStored`.
   */
  async storeAtOnce(uploads: readonly Upload[], options: TransferOptions = {}): Promise<void> {
    await this.#ensureStored(uploads, begin(options, this.#windows, ONE_ATTEMPT))
  }

  async #ensureStored(uploads: readonly Upload[], run: Run): Promise<void> {
    for (const upload of uploads) checkFile(upload)
    await run.group.run(() => this.#send(filePieces(uploads), run))
  }

  /**
   * Chunks a file and stores it while it is read: each byte is read and hashed once, and sent from where it
   * was read to. Waits for a session before it reads. The source stays open.
   *
   * @param options.resume What was chunked is remembered until the file is stored: after a crash an
   *   unchanged file is not read again from its start, but for what the hub lacks.
   * @throws as `ensureStored`.
   */
  async store(source: ByteSource, options: StoreOptions = {}): Promise<ChunkedFile> {
    const isSmall = source.size <= SMALL_BODY_BYTES_MAX
    const run = begin(options, isSmall ? this.#smallWindows : this.#windows, this.parts.retry)
    if (source.size <= ONE_CHUNK_BYTES_MAX) {
      const bytes = await source.read(0, source.size)
      const file = chunkBytes(bytes, this.parts.hasher)
      const chunk = memoryPiece(chunkIdAt(file.chunks, 0), bytes)
      await run.group.run(() => this.#send([chunk, ...nodePieces(file.manifest)], run))
      return file
    }
    const journal = options.resume && (await this.parts.journal?.open(options.resume.fingerprint))
    try {
      const file = await this.#storeWindows(source, options, journal, run)
      await journal?.clear()
      return file
    } catch (error) {
      if (error instanceof SourceChangedError) await journal?.clear()
      throw error
    }
  }

  async #storeWindows(
    source: ByteSource,
    { resume }: StoreOptions,
    journal: FileJournal | undefined,
    run: Run,
  ): Promise<ChunkedFile> {
    const { group } = run
    const { signal } = group
    const hints = new UploadHints(this.parts.hints, source.size)
    const sent: Promise<void>[] = []
    const spawn = (task: Promise<void>): void => {
      sent.push(task)
      group.spawn(() => task)
    }
    let known: Piece[] = []
    const sendKnown = (): void => {
      if (known.length > 0) spawn(this.#send(known, run))
      known = []
    }
    const pieceSource: PieceSource = { size: source.size, open: async () => keptOpen(source) }
    let file: ChunkedFile | undefined
    await group.run(async () => {
      await run.retry.run(signal, async () => mustAuthority(this.parts))
      file = await chunkWindows(source, {
        hasher: this.parts.hasher,
        gear: this.parts.gear,
        memory: run.windows,
        signal,
        isSettled: () => resume?.isSettled() ?? false,
        known: (offset) => journal?.known(offset),
        onKnown: (offset, chunks) => known.push(...chunkPieces(chunks, pieceSource, offset)),
        onWindow: (window) => {
          sendKnown()
          spawn(this.#sendWindow(window, journal, hints, run))
        },
      })
      sendKnown()
      await Promise.all(sent)
      // Nodes after what they name.
      await this.#send(nodePieces(file.manifest), run)
      hints.finished(file.root)
    })
    return file!
  }

  /** Sends what the hub lacks, and what waits for a pack. */
  async #send(pieces: Iterable<Piece>, run: Run): Promise<void> {
    const { group, durable } = run
    for (const asked of questions(pieces)) {
      const needed = await this.#needed(durable.meet(asked), run)
      if (run.pack.length === 0 && fitsInline(needed)) {
        for (const message of messages(needed)) await this.#spawnInline(message, run)
      } else {
        for (const piece of needed) await this.#pack(piece, run)
      }
    }
    const { pack } = run
    if (pack.length === 0) return
    run.pack = []
    if (!fitsInline(pack)) return this.#spawnPack(pack, run)
    for (const message of messages(pack)) await this.#spawnInline(message, run)
    group.signal.throwIfAborted()
  }

  /** Adds to the pack, which goes off when it is full. */
  async #pack(piece: Piece, run: Run): Promise<void> {
    const isFull = run.packBytes + piece.length > PACK_BYTES_TARGET || run.pack.length === PACK_CHUNKS_MAX
    const full = run.pack.length > 0 && isFull ? run.pack : undefined
    if (full) {
      run.pack = []
      run.packBytes = 0
    }
    run.pack.push(piece)
    run.packBytes += piece.length
    if (full) await this.#spawnPack(full, run)
  }

  async #needed(pieces: readonly Piece[], { durable, group, retry }: Run): Promise<Piece[]> {
    if (pieces.length === 0) return []
    const { signal } = group
    const ids = pieces.map(({ id }) => id)
    const answer = await retry.run(signal, () => mustAuthority(this.parts).need(ids, signal))
    const lacking = new Set(answer)
    durable.settle(pieces.filter(({ id }) => !lacking.has(id)))
    return pieces.filter(({ id }) => lacking.has(id))
  }

  /** The window itself becomes a pack if the hub lacks most of it; little that it lacks is put aside. */
  async #sendWindow(
    window: Window,
    journal: FileJournal | undefined,
    hints: UploadHints,
    run: Run,
  ): Promise<void> {
    const { memory, offset, isSettled } = window
    const aside: Piece[] = []
    try {
      const chunks = await window.chunks()
      if (isSettled) await journal?.add(offset, chunks)
      const needed = await this.#needed(run.durable.meet(windowPieces(memory, chunks)), run)
      if (2 * sumOf(needed) < memory.length) aside.push(...needed.map(copied))
      else {
        await this.#storePack(compact(memory, needed), needed, run)
        run.durable.settle(needed)
        hints.stored(offset, chunks, new Set(needed.map(({ id }) => id)))
      }
    } finally {
      run.windows.give(memory)
    }
    for (const piece of aside) await this.#pack(piece, run)
  }

  /** Waits for room, then goes on in the background. */
  async #spawnInline(pieces: readonly Piece[], { group, durable, retry }: Run): Promise<void> {
    const { signal } = group
    const length = sumOf(pieces)
    const release = await this.#small.take(length, signal)
    group.spawn(async () => {
      try {
        const bytes = new Uint8Array(length)
        await readPieces(pieces, bytes, this.parts.hasher, signal)
        let at = 0
        const chunks = pieces.map((piece) => {
          at += piece.length
          return { id: piece.id, bytes: bytes.subarray(at - piece.length, at) }
        })
        await retry.run(signal, async () => {
          await this.parts.pace.up.take(length, signal)
          await mustAuthority(this.parts).putInline(chunks, signal)
        })
        durable.settle(pieces)
      } finally {
        release()
      }
    })
  }

  /** Waits for room, then goes on in the background. */
  async #spawnPack(pieces: readonly Piece[], run: Run): Promise<void> {
    const { group, durable } = run
    const { signal } = group
    const length = packLength(pieces.length, sumOf(pieces))
    const release = await this.#bodies.take(length, signal)
    group.spawn(async () => {
      try {
        const body = new Uint8Array(length)
        await readPieces(pieces, body, this.parts.hasher, signal)
        await this.#storePack(body, pieces, run)
        durable.settle(pieces)
      } finally {
        release()
      }
    })
  }

  /** @param body The pieces, and room for an index. Taken over. */
  async #storePack(body: Uint8Array, pieces: readonly Piece[], run: Run): Promise<void> {
    const { pack, chunks } = await this.parts.compression.compress(body, pieces, run.group.signal)
    await this.#store(await this.#packs.finish(pack, chunks), run)
  }

  /** Each attempt asks for a grant of its own: the last one may be over, or the blob stored meanwhile. */
  #store({ id, bytes, chunks }: BuiltPack, { group, retry }: Run): Promise<void> {
    const { parts } = this
    const { signal } = group
    const plainBytes = chunks.reduce((sum, { length }) => sum + length, 0)
    const put = async (inTurn: InTurn): Promise<void> => {
      // Before the grant, which may be over when its turn comes.
      await parts.pace.up.take(bytes.length, signal, { plainBytes })
      const [grant] = await mustAuthority(parts).grantPuts([{ id, length: bytes.length }], signal)
      if (grant === null) return
      if (grant === undefined) throw new StoreError('the hub answered without a grant')
      const client = mustClient(parts)
      const send = () => parts.compression.sending(bytes.length, () => client.put(grant, bytes, { signal }))
      await inTurn(bytes.length, send)
      const stored = await mustAuthority(parts).stored([id], signal)
      if (!stored.includes(id)) throw new StoreError('the hub did not find the uploaded pack whole')
    }
    const isSmall = Math.max(bytes.length, plainBytes) <= SMALL_BODY_BYTES_MAX
    return retry.run(signal, () => (isSmall ? put((_, send) => send()) : parts.largeBodies.run(signal, put)))
  }
}

function begin({ signal, onProgress }: TransferOptions, windows: LentBuffers, retry: Run['retry']): Run {
  const durable = new DurableBytes(onProgress && ((bytes) => onProgress(bytes)))
  return { windows, group: new TaskGroup(signal), durable, retry, pack: [], packBytes: 0 }
}
