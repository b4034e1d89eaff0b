import type { KeyRange, KeyValue } from '../ports/key-value-store.js'

/**
 * One state of a table that goes on changing: what each changed key had before. Filled by the writer before the
 * change can be read, so that a reader who looks here after it has read the table always finds the state that
 * this view was opened on.
 */
export class UndoView {
  readonly #before = new Map<string, Uint8Array | undefined>()

  /** The first change counts. */
  note(key: string, value: Uint8Array | undefined): void {
    if (!this.#before.has(key)) this.#before.set(key, value)
  }

  has(key: string): boolean {
    return this.#before.has(key)
  }

  /** @param read What the table said, asked before this is called. */
  value(key: string, read: Uint8Array | undefined): Uint8Array | undefined {
    return this.#before.has(key) ? this.#before.get(key) : read
  }

  /** The same for all rows of a range. @param rows In order. */
  rows(rows: readonly KeyValue[], { gte, lt }: KeyRange): readonly KeyValue[] {
    const changed = [...this.#before].filter(([key]) => key >= gte && key < lt)
    if (changed.length === 0) return rows
    const kept = rows.filter(([key]) => !this.#before.has(key))
    for (const [key, value] of changed) if (value !== undefined) kept.push([key, value])
    return kept.sort(([a], [b]) => (a < b ? -1 : 1))
  }
}
