import type { Hasher, KeyValueStore, Random, Timers } from '@tidemark/engine'
import {
  type BlobId,
  BlobNotFoundError,
  type BlobStore,
  bytesToHex,
  parseSpaceName,
  type SpaceName,
} from '@tidemark/protocol'
import type { Logger } from '../logger.js'
import type { Uptime } from '../uptime.js'

/** Where the claims of all hubs stand in a store, as blobs of a space that no device may open. */
export const CLAIMS_SPACE: SpaceName = parseSpaceName('tidemark.claims')

const RENEW_EVERY_MS = 1_800_000
/** Whoever renewed a claim before this hub was started has renewed it once more by then. */
const SURE_AFTER_MS = 2 * RENEW_EVERY_MS
/** A copy of this hub that has not renewed its claim for so long is gone, milliseconds for which this hub ran. */
const ABANDONED_AFTER_MS = 30 * 24 * 3_600_000
const KEY = 'store-claim'
const FIRST_LINE = 'tidemark-hub'
const ID_BYTES = 16
const CLAIM_BYTES_MAX = 128
const encoder = new TextEncoder()
const decoder = new TextDecoder()

export interface StoreClaimParts {
  readonly storage: KeyValueStore
  readonly blobs: BlobStore
  readonly random: Random
  readonly hasher: Hasher
  readonly timers: Timers
  readonly uptime: Uptime
  readonly logger: Logger
}

/** What the hub's database knows of claims: a row of JSON. */
interface ClaimRow {
  /** Chosen once, by the first start over this database. */
  readonly hub: string
  /** Claims of this database that may be in the store; the last one is the newest. */
  readonly mine: readonly BlobId[]
  /** The newest of them that is known to be there. */
  readonly stored?: BlobId
  /** Since when nobody else had one; times are of `Uptime`. */
  readonly soleSinceMs: number | undefined
  /** When each claim of others was first seen. */
  readonly others: Readonly<Record<string, number>>
}

/**
 * Whether this hub is the only one that uses its store: two that do take each other's bytes for nobody's.
 *
 * Each hub keeps blobs in the store that say whose it is, and puts a new one there each half hour; the one before
 * stays until then, so that whoever reads a long list meanwhile sees one of them. One that its database does not know
 * was put by another hub, or by a copy of this one: the database was copied, or put back to a backup, after which the
 * later life of this hub is the copy. A copy that renews nothing for 30 days is over; another hub is never over by
 * itself, because what it stored may be all that there is.
 */
export class StoreClaim {
  readonly #parts: StoreClaimParts
  readonly #startedMs: number
  #row: ClaimRow | undefined
  #tail: Promise<unknown> = Promise.resolve()
  #cancel: (() => void) | undefined
  #isClosed = false
  #checkedMs: number | undefined
  /** Other hubs, or copies of this one, whose claims the last look has found. */
  others = 0

  constructor(parts: StoreClaimParts) {
    this.#parts = parts
    this.#startedMs = parts.uptime.nowMs()
  }

  /** From now on the claim is renewed. */
  start(): void {
    void this.#exclusive(() => this.#renew())
      .catch((error: unknown) => this.#parts.logger.warn('store-claim-failed', { error }))
      .finally(() => this.#schedule())
  }

  /** Idempotent. */
  async close(): Promise<void> {
    this.#isClosed = true
    this.#cancel?.()
    await this.#tail
  }

  /**
   * Since when this hub is the only one that uses the store, as the store said not longer ago than a claim lives.
   * @returns time of `Uptime`; `undefined`: there is another one, or this hub runs for less than an hour. @throws {StoreError} and what the database throws.
   */
  soleSinceMs(): Promise<number | undefined> {
    return this.#exclusive(async () => {
      if (this.#nowMs - this.#startedMs < SURE_AFTER_MS) return undefined
      const isFresh = this.#checkedMs !== undefined && this.#checkedMs + RENEW_EVERY_MS > this.#nowMs
      if (!isFresh) await this.#check()
      return (await this.#load()).soleSinceMs
    })
  }

  #schedule(): void {
    if (this.#isClosed) return
    this.#cancel = this.#parts.timers.after(RENEW_EVERY_MS, () => this.start())
  }

  get #nowMs(): number {
    return this.#parts.uptime.nowMs()
  }

  async #renew(): Promise<void> {
    if (this.#isClosed) return
    const { blobs, random, hasher } = this.#parts
    const { hub, mine, stored = mine.at(-1) } = await this.#load()
    const bytes = encoder.encode(`${FIRST_LINE}\n${hub}\n${bytesToHex(random.bytes(ID_BYTES))}\n`)
    const id = bytesToHex(hasher.sha256(bytes)) as BlobId
    const kept = mine.filter((old) => old === stored)
    // Where nothing can be deleted there is no new one either: they would be more and more. The one that is there
    // stays until another one is: a store may take no new bytes for as long as it likes.
    for (const old of mine) if (old !== stored) await blobs.delete(CLAIMS_SPACE, old)
    // Known before it is there, or a crash would leave one that looks like another's.
    await this.#save({ mine: [...kept, id] })
    await blobs.put(CLAIMS_SPACE, id, bytes)
    await this.#save({ stored: id })
  }

  async #check(): Promise<void> {
    const { blobs, uptime, logger } = this.#parts
    // What is put while the store is listed may be missed.
    const checkedMs = this.#nowMs
    const row = await this.#load()
    const others: Record<string, number> = {}
    const owners = new Set<string | undefined>()
    for await (const id of blobs.list(CLAIMS_SPACE)) {
      if (row.mine.includes(id)) continue
      const firstMs = row.others[id] ?? this.#nowMs
      const owner = await this.#ownerOf(id)
      if (owner === row.hub && firstMs + ABANDONED_AFTER_MS <= this.#nowMs) {
        await blobs.delete(CLAIMS_SPACE, id)
        continue
      }
      others[id] = firstMs
      owners.add(owner)
      const message =
        owner === row.hub
          ? 'a copy of this hub uses the store, or this database was put back to a backup: no bytes are deleted until that claim was not renewed for 30 days'
          : `another hub uses the store: give each one its own bucket or prefix; if it is gone for good, delete this blob of the space ${CLAIMS_SPACE}`
      logger.warn('store-shared', { blob: id, hub: owner, message })
    }
    this.others = owners.size
    const soleSinceMs = this.others > 0 ? undefined : (row.soleSinceMs ?? (await uptime.save()))
    await this.#save({ others, soleSinceMs })
    this.#checkedMs = checkedMs
  }

  /** @returns the hub that a claim is of; `undefined` where its bytes do not say: it counts as another's. */
  async #ownerOf(id: BlobId): Promise<string | undefined> {
    const { blobs } = this.#parts
    const length = await blobs.stat(CLAIMS_SPACE, id)
    if (length === undefined || length > CLAIM_BYTES_MAX) return undefined
    try {
      const bytes = await blobs.read(CLAIMS_SPACE, id, { offset: 0, length })
      const [first, hub] = decoder.decode(bytes).split('\n')
      return first === FIRST_LINE ? hub : undefined
    } catch (error) {
      // Renewed in this moment.
      if (error instanceof BlobNotFoundError) return undefined
      throw error
    }
  }

  async #load(): Promise<ClaimRow> {
    if (this.#row) return this.#row
    const { storage, random } = this.#parts
    const kept = await storage.get(KEY)
    this.#row = kept
      ? (JSON.parse(decoder.decode(kept)) as ClaimRow)
      : { hub: bytesToHex(random.bytes(ID_BYTES)), mine: [], soleSinceMs: undefined, others: {} }
    return this.#row
  }

  async #save(changed: Partial<ClaimRow>): Promise<void> {
    const row: ClaimRow = { ...(await this.#load()), ...changed }
    const value = encoder.encode(JSON.stringify(row))
    await this.#parts.storage.batch([{ type: 'put', key: KEY, value }], { sync: true })
    this.#row = row
  }

  #exclusive<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#tail.then(work)
    this.#tail = result.catch(() => undefined)
    return result
  }
}
