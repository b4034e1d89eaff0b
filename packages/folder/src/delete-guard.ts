import type { KeyValueReader, SpaceBinding } from '@tidemark/engine'
import type { HoldState } from './hold-state.js'
import { type DeleteLimit, exceeds } from './holds.js'
import type { Item } from './local/item.js'
import type { RowsStore } from './rows-store.js'

/** Deletions this near each other count together: who deletes much takes some time. */
export const DELETE_WINDOW_MS = 60_000

export interface DeleteGuardOptions {
  readonly limit: DeleteLimit
  readonly rows: Pick<RowsStore, 'count'>
  readonly space: Pick<SpaceBinding, 'writeRows'> & { readonly rows: Pick<KeyValueReader, 'get'> }
  readonly hold: HoldState
  readonly monotonicMs: () => number
}

interface Before {
  /** Deletions. */
  readonly sent: number
  /** How many entries there were before these. */
  readonly entries: number
}

/** Holds deletions back that look like an accident, together with those that were sent shortly before. */
export class DeleteGuard {
  /** When what was deleted within the window was, by path, the oldest first. What is made again there is no loss. */
  readonly #sent = new Map<string, number>()
  #entries: { readonly atMs: number; readonly count: number } | undefined
  /** What was sent before those that are held: they stay held however long ago that is. */
  #before: Before | undefined
  #isRead = false

  constructor(private readonly options: DeleteGuardOptions) {}

  /** Whether so many entries more may be deleted for everybody. If not, they are held. */
  async mayDelete(count: number): Promise<boolean> {
    const { limit, hold } = this.options
    await this.#read()
    const sent = this.#before?.sent ?? this.#sentLately()
    if (sent + count <= limit.count) return true
    const entries = this.#before?.entries ?? (await this.#entriesBefore(sent))
    if (!exceeds(limit, sent + count, entries)) return true
    const what = `${count} of ${entries} entries were deleted here`
    const shortly = sent === 0 ? '' : `, shortly after ${sent} others that are deleted everywhere`
    const reason = `${what}${shortly}: accept to delete them everywhere, or revert`
    hold.because({ kind: 'deletes', reason, deletes: count, entries })
    if (sent > 0 && !this.#before) await this.#write({ sent, entries })
    return false
  }

  /** Nobody decided about these. */
  committed(items: readonly Pick<Item, 'type' | 'path'>[]): void {
    const nowMs = this.options.monotonicMs()
    for (const { type, path } of items) {
      // Set anew: the map keeps the order of time.
      this.#sent.delete(path)
      if (type === 'delete') this.#sent.set(path, nowMs)
    }
  }

  /** A person decided: what was sent until now has nothing to do with what comes. */
  async forget(): Promise<void> {
    this.#sent.clear()
    this.#entries = undefined
    await this.isBack()
  }

  /** Nothing is missing any more: nothing is held. */
  async isBack(): Promise<void> {
    await this.#read()
    if (this.#before) await this.#write(undefined)
  }

  #sentLately(): number {
    const sinceMs = this.options.monotonicMs() - DELETE_WINDOW_MS
    for (const [path, atMs] of this.#sent) {
      if (atMs >= sinceMs) break
      this.#sent.delete(path)
    }
    return this.#sent.size
  }

  /** Counting reads all keys: once for a window. */
  async #entriesBefore(sent: number): Promise<number> {
    const atMs = this.options.monotonicMs()
    const known = this.#entries
    if (sent > 0 && known && atMs - known.atMs < DELETE_WINDOW_MS) return known.count
    const count = (await this.options.rows.count()) + sent
    this.#entries = { atMs, count }
    return count
  }

  async #read(): Promise<void> {
    if (this.#isRead) return
    const value = await this.options.space.rows.get(RECORD)
    if (value !== undefined) this.#before = JSON.parse(new TextDecoder().decode(value)) as Before
    this.#isRead = true
  }

  /** A restart does not let go what is held. */
  async #write(before: Before | undefined): Promise<void> {
    this.#before = before
    const value = before && new TextEncoder().encode(JSON.stringify(before))
    const op = value
      ? ({ type: 'put', key: RECORD, value } as const)
      : ({ type: 'del', key: RECORD } as const)
    await this.options.space.writeRows([op], { sync: true })
  }
}

/** Beside the keys of the rows. */
const RECORD = 'held-deletes'
