import type { KeyValueReader, SpaceBinding } from '@tidemark/engine'
import type { HoldState } from './hold-state.js'
import { type DeleteLimit, exceeds } from './holds.js'
import type { Deletion, Item } from './local/item.js'
import type { Fingerprint } from './rows.js'
import type { RowsStore } from './rows-store.js'

/** Deletions this near each other count together: who deletes much takes some time. */
export const DELETE_WINDOW_MS = 60_000
/** Of more new things than this the oldest count like all others. */
const MADE_MAX = 100_000

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
  /** When what was made within the window was, by identity on disk, the oldest first: it is no loss if it goes again. */
  readonly #made = new Map<string, number>()
  #entries: { readonly atMs: number; readonly count: number } | undefined
  /** What was sent before those that are held: they stay held however long ago that is. */
  #before: Before | undefined
  #isRead = false

  constructor(private readonly options: DeleteGuardOptions) {}

  /** Whether these may be deleted for everybody too. If not, they are held. */
  async mayDelete(items: readonly Deletion[]): Promise<boolean> {
    const { limit, hold } = this.options
    await this.#read()
    this.#expire()
    const count = items.length
    const sent = this.#before?.sent ?? this.#sent.size
    const old = items.filter(({ row }) => !this.#made.has(identityOf(row.fingerprint))).length
    // What goes at once counts whatever its age: it may be all that somebody has just brought.
    const lost = Math.max(sent + old, count)
    if (lost <= limit.count) return true
    const entries = this.#before?.entries ?? (await this.#entriesBefore(sent, lost))
    if (!exceeds(limit, lost, entries)) return true
    const what = `${count} of ${entries} entries were deleted here`
    const shortly = sent === 0 ? '' : `, shortly after ${sent} others that are deleted everywhere`
    const reason = `${what}${shortly}: accept to delete them everywhere, or revert`
    hold.because({ kind: 'deletes', reason, deletes: count, entries })
    if (sent > 0 && !this.#before) await this.#write({ sent, entries })
    return false
  }

  /** Nobody decided about these. */
  committed(items: readonly Item[]): void {
    const nowMs = this.options.monotonicMs()
    for (const item of items) {
      const wasSent = this.#sent.delete(item.path)
      if (item.type === 'delete') {
        if (item.isIgnored) continue
        // Set anew: the map keeps the order of time.
        if (!this.#made.delete(identityOf(item.row.fingerprint))) this.#sent.set(item.path, nowMs)
      } else if (item.type === 'create' && !wasSent) {
        this.#made.set(identityOf(item.stat), nowMs)
        if (this.#made.size > MADE_MAX) this.#made.delete(this.#made.keys().next().value!)
      }
    }
    this.#expire()
  }

  /** A person decided: what was sent until now has nothing to do with what comes. */
  async forget(): Promise<void> {
    await this.isBack()
    this.#sent.clear()
    this.#entries = undefined
  }

  /** Nothing is missing any more: nothing is held. */
  async isBack(): Promise<void> {
    await this.#read()
    if (this.#before) await this.#write(undefined)
  }

  #expire(): void {
    const sinceMs = this.options.monotonicMs() - DELETE_WINDOW_MS
    for (const times of [this.#sent, this.#made]) {
      for (const [key, atMs] of times) {
        if (atMs >= sinceMs) break
        times.delete(key)
      }
    }
  }

  /** Counting reads all keys: once for a window, and before anything is held, for others may have come since. */
  async #entriesBefore(sent: number, lost: number): Promise<number> {
    const { limit, rows, monotonicMs } = this.options
    const atMs = monotonicMs()
    const known = this.#entries
    const isRecent = sent > 0 && known !== undefined && atMs - known.atMs < DELETE_WINDOW_MS
    if (isRecent && !exceeds(limit, lost, known.count)) return known.count
    const count = (await rows.count()) + sent
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
    const value = before && new TextEncoder().encode(JSON.stringify(before))
    const op = value
      ? ({ type: 'put', key: RECORD, value } as const)
      : ({ type: 'del', key: RECORD } as const)
    await this.options.space.writeRows([op], { sync: true })
    // What could not be written is tried again by the next one who asks.
    this.#before = before
  }
}

/** Whatever its name is by now. */
const identityOf = ({ dev, ino, birthtimeNs }: Fingerprint): string => `${dev} ${ino} ${birthtimeNs}`

/** Beside the keys of the rows. */
const RECORD = 'held-deletes'
