import {
  type BlobId,
  type ChunkId,
  type ChunkMismatchError,
  DISTRUSTED_BLOBS_MAX,
  GRANT_TTL_MS,
  LimitError,
  type Located,
  StoreError,
  SyncError,
} from '@tidemark/protocol'
import type { Budget } from '../memory/budget.js'
import { BufferPool } from '../memory/buffer-pool.js'
import { type FetchedChunk, type OpenedRange, openRange } from './range-chunks.js'
import { type PlannedRange, planRanges, type RangeBounds } from './range-plan.js'
import { TaskGroup } from './task-group.js'
import { mustAuthority, mustClient, type TransferParts } from './transfer-parts.js'

/** Wrong bytes of one chunk from one blob: the way may have damaged them once. */
const LIES_MAX = 2

export interface ChunkRequest {
  readonly ids: ReadonlySet<ChunkId>
  /** Whether this chunk may have this many bytes. */
  isWanted(id: ChunkId, length: number): boolean
  /** Takes chunks that came together, by ascending place. The next range waits for it. */
  deliver(chunks: readonly FetchedChunk[]): Promise<void>
}

/** Chunks that did not come. */
export interface ChunkShortage {
  readonly missing: readonly ChunkId[]
  /** Every place of them gave other bytes. */
  readonly wrong: readonly ChunkMismatchError[]
}

/** Brings chunks from where the hub says that they are: few requests, each chunk hashed. */
export class ChunkFetcher {
  readonly #buffers = new BufferPool()

  constructor(
    private readonly parts: TransferParts,
    private readonly budget: Budget,
    private readonly bounds: RangeBounds,
  ) {}

  /**
   * Asks for at most IDS_PER_REQUEST_MAX chunks and delivers those that come.
   *
   * What fails is located again: the answer may name another place, and has a new grant. The hub is told of blobs
   * that gave wrong bytes. One that did so twice for a chunk is not asked for it any more.
   *
   * @throws what the retry policy gives up on; what `deliver` throws; the signal's reason.
   */
  async fetch(request: ChunkRequest, signal: AbortSignal): Promise<ChunkShortage> {
    const pending = new Set(request.ids)
    const lies = new Lies()
    const wrong: ChunkMismatchError[] = []
    const missing: ChunkId[] = []
    const retries = this.parts.retry.begin()
    while (pending.size > 0) {
      const ids = [...pending]
      const distrusted = lies.takeLiars()
      const located = await this.#locate(ids, { distrusted, signal })
      const ranges = planRanges(
        located,
        (id, length) => pending.has(id) && request.isWanted(id, length),
        this.bounds,
      )
      const placed = new Set(ranges.flatMap(({ chunks }) => chunks.map(({ id }) => id)))
      for (const id of ids) {
        if (placed.has(id)) continue
        pending.delete(id)
        const lie = lies.last(id)
        if (lie) wrong.push(lie)
        else missing.push(id)
      }
      const before = pending.size
      const failure = await this.#round(ranges, request, pending, lies, signal)
      for (const lie of lies.takeProven()) {
        pending.delete(lie.expected as ChunkId)
        wrong.push(lie)
      }
      if (pending.size === 0) break
      if (pending.size < before) retries.reset()
      if (failure) await retries.after(failure, signal)
    }
    return { missing, wrong }
  }

  /** In parts where the answer is too long for a frame: thousands of small blobs may come with a long URL each. */
  async #locate(
    ids: readonly ChunkId[],
    options: { readonly distrusted?: readonly BlobId[]; readonly signal: AbortSignal },
  ): Promise<Pick<Located, 'blobs' | 'chunks'>> {
    try {
      return await this.parts.retry.run(options.signal, () => mustAuthority(this.parts).locate(ids, options))
    } catch (error) {
      if (!(error instanceof LimitError) || ids.length < 2) throw error
      const half = ids.length >> 1
      const { signal } = options
      const first = await this.#locate(ids.slice(0, half), { signal })
      const second = await this.#locate(ids.slice(half), { signal })
      const moved = second.chunks.map((place) => ({ ...place, blob: place.blob + first.blobs.length }))
      return { blobs: [...first.blobs, ...second.blobs], chunks: [...first.chunks, ...moved] }
    }
  }

  /**
   * Fetches all ranges once; what came is no longer pending. What waited for its turn until its grant is about to
   * end is left, unpaid, to the next round. @returns the last failure, if any.
   */
  async #round(
    ranges: readonly PlannedRange[],
    request: ChunkRequest,
    pending: Set<ChunkId>,
    lies: Lies,
    outer: AbortSignal,
  ): Promise<SyncError | undefined> {
    let failure: SyncError | undefined
    const untilMs = this.parts.pace.monotonicMs() + GRANT_TTL_MS / 2
    const group = new TaskGroup(outer)
    const { signal } = group
    await group.run(async () => {
      for (const range of ranges) {
        const release = await this.budget.take(memoryOf(range), signal)
        if (this.parts.pace.monotonicMs() >= untilMs) {
          release()
          return
        }
        group.spawn(async () => {
          const buffers: Buffers = {
            came: this.#lend(range.length),
            opened: this.#lend(range.inflatedLength),
          }
          try {
            const isItsTurn = await this.parts.pace.down.take(range.length, signal, {
              untilMs,
              plainBytes: range.inflatedLength,
            })
            if (!isItsTurn) return
            const result = await this.#range(range, buffers, signal)
            if (result.error) failure = result.error
            for (const lie of result.lies) lies.add(lie, range.blob)
            if (isOutside(result.error)) lies.distrust(range.blob)
            if (result.chunks.length > 0) await request.deliver(result.chunks)
            for (const { id } of result.chunks) pending.delete(id)
          } finally {
            for (const buffer of Object.values(buffers)) if (buffer) this.#buffers.give(buffer)
            release()
          }
        })
      }
    })
    return failure
  }

  /** One that is used again, if ranges of this length are common. */
  #lend(length: number): Uint8Array | undefined {
    const { rangeBytesMax } = this.bounds
    const isCommon = length <= rangeBytesMax && 4 * length > rangeBytesMax
    return isCommon ? this.#buffers.take(rangeBytesMax) : undefined
  }

  /** What a range brought: a failure of the store is a result, the other ranges go on. */
  async #range(range: PlannedRange, { came, opened }: Buffers, signal: AbortSignal): Promise<RangeResult> {
    const { offset, length, inflatedLength } = range
    let bytes: Uint8Array
    try {
      bytes = await mustClient(this.parts).get(
        range.grant,
        { offset, length },
        { signal, ...(came ? { into: came } : {}) },
      )
      if (bytes.length !== length) throw new StoreError('the store sent another length than was asked for')
    } catch (error) {
      signal.throwIfAborted()
      if (error instanceof SyncError) return { chunks: [], lies: [], error }
      throw error
    }
    const result = await openRange(range, bytes, opened ?? new Uint8Array(inflatedLength), this.parts)
    return { ...result, error: result.lies[0] }
  }
}

/** What a range takes while it is here: as it came, inflated, and the chunk that is being inflated. */
const memoryOf = ({ length, inflatedLength, chunks }: PlannedRange): number =>
  inflatedLength === 0
    ? length
    : length + inflatedLength + chunks.reduce((most, chunk) => Math.max(most, chunk.length), 0)

interface Buffers {
  readonly came: Uint8Array | undefined
  readonly opened: Uint8Array | undefined
}

/** The blob ends before its chunk does: 416 where nothing of it is there, 206 where its beginning is. */
const isOutside = (error: SyncError | undefined): boolean =>
  error instanceof StoreError && (error.status === 416 || error.status === 206)

interface RangeResult extends OpenedRange {
  readonly error: SyncError | undefined
}

/** Who gave wrong bytes for which chunk, and how often. */
class Lies {
  readonly #counts = new Map<string, number>()
  readonly #last = new Map<ChunkId, ChunkMismatchError>()
  #proven: ChunkMismatchError[] = []
  readonly #liars = new Set<BlobId>()

  add(lie: ChunkMismatchError, blob: BlobId): void {
    const key = `${blob} ${lie.expected}`
    const count = (this.#counts.get(key) ?? 0) + 1
    this.#counts.set(key, count)
    this.#last.set(lie.expected as ChunkId, lie)
    this.distrust(blob)
    if (count >= LIES_MAX) this.#proven.push(lie)
  }

  distrust(blob: BlobId): void {
    this.#liars.add(blob)
  }

  last(id: ChunkId): ChunkMismatchError | undefined {
    return this.#last.get(id)
  }

  /** Blobs that lied since the last call, as many as fit into a request; the others are for the next one. */
  takeLiars(): readonly BlobId[] {
    const liars = [...this.#liars].slice(0, DISTRUSTED_BLOBS_MAX)
    for (const blob of liars) this.#liars.delete(blob)
    return liars
  }

  /** Chunks whose place lied once too often since the last call. */
  takeProven(): readonly ChunkMismatchError[] {
    const proven = this.#proven
    this.#proven = []
    return proven
  }
}
