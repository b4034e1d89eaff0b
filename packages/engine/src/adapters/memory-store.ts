import type {
  KeyRange,
  KeyValue,
  KeyValueOp,
  KeyValueReader,
  KeyValueSnapshot,
  KeyValueStore,
} from '../ports/key-value-store.js'
import { SortedMap } from './sorted-map.js'

const PAGE_ENTRIES = 256

type Table = SortedMap<Uint8Array>

/**
 * An ordered map in memory that answers at once. For tests, simulators and caches that may be lost.
 *
 * `crash()` gives what a durable store could hold after a power cut: the state at some batch that is
 * not older than the last one with `sync`.
 */
export class MemoryKeyValueStore implements KeyValueStore {
  #table: Table
  /** With `crashable`: the last durable state and each later one, oldest first. */
  #states: Table[] | undefined

  constructor(options: { crashable?: boolean; entries?: Iterable<KeyValue> } = {}) {
    this.#table = SortedMap.empty()
    for (const [key, value] of options.entries ?? []) this.#table.set(key, value)
    if (options.crashable === true) this.#states = [this.#table.fork()]
  }

  get(key: string): Uint8Array | undefined {
    return this.#table.get(key)
  }

  getMany(keys: readonly string[]): (Uint8Array | undefined)[] {
    return keys.map((key) => this.#table.get(key))
  }

  range(range: KeyRange): AsyncIterable<readonly KeyValue[]> {
    return pages(this.#table, range)
  }

  /** All of a range at once. */
  entries({ gte, lt }: KeyRange): readonly KeyValue[] {
    return this.#table.range(gte, lt)
  }

  async batch(ops: readonly KeyValueOp[], { sync }: { sync: boolean }): Promise<void> {
    for (const op of ops) {
      if (op.type === 'put') this.#table.set(op.key, op.value)
      else this.#table.delete(op.key)
    }
    if (!this.#states) return
    if (sync) this.#states = []
    this.#states.push(this.#table.fork())
  }

  snapshot(): KeyValueSnapshot {
    return { ...readerOf(this.#table.fork()), close: async () => undefined }
  }

  async close(): Promise<void> {}

  /** Batches that a crash could lose now. */
  get unsyncedBatches(): number {
    return (this.#states?.length ?? 1) - 1
  }

  /**
   * A new store as it could be found after a power cut.
   *
   * @param kept How many of the unsynced batches made it, 0 to `unsyncedBatches`.
   */
  crash(kept: number): MemoryKeyValueStore {
    if (!this.#states) throw new TypeError('the store was not made crashable')
    const state = this.#states[kept]
    if (!state) throw new RangeError(`kept: 0 to ${this.unsyncedBatches}`)
    return MemoryKeyValueStore.#holding(state, true)
  }

  /** A copy of everything, as an old backup that may be opened later. */
  backup(): MemoryKeyValueStore {
    return MemoryKeyValueStore.#holding(this.#table, this.#states !== undefined)
  }

  static #holding(table: Table, crashable: boolean): MemoryKeyValueStore {
    const store = new MemoryKeyValueStore()
    store.#table = table.fork()
    if (crashable) store.#states = [table.fork()]
    return store
  }
}

const readerOf = (table: Table): KeyValueReader => ({
  get: (key) => table.get(key),
  getMany: (keys) => keys.map((key) => table.get(key)),
  range: (range) => pages(table, range),
})

const pages = (table: Table, range: KeyRange): AsyncIterable<readonly KeyValue[]> => ({
  [Symbol.asyncIterator]: () => new Pages(table, range),
})

const DONE: Promise<IteratorReturnResult<undefined>> = Promise.resolve({ done: true, value: undefined })

/** Not a generator: most ranges are one short page, and a generator takes four turns to hand it out. */
class Pages implements AsyncIterator<readonly KeyValue[], undefined> {
  #table: Table
  #from: string
  readonly #lt: string
  #isFirst = true
  #isLast = false

  constructor(table: Table, { gte, lt }: KeyRange) {
    this.#table = table
    this.#from = gte
    this.#lt = lt
  }

  next(): Promise<IteratorResult<readonly KeyValue[], undefined>> {
    if (this.#isLast) return DONE
    const page = this.#table.range(this.#from, this.#lt, PAGE_ENTRIES)
    this.#isLast = page.length < PAGE_ENTRIES
    if (page.length === 0) return DONE
    if (!this.#isLast) {
      // Of one moment: the caller may write between two pages.
      if (this.#isFirst) this.#table = this.#table.fork()
      this.#isFirst = false
      // The least key above the last one.
      this.#from = `${page.at(-1)![0]}\0`
    }
    return Promise.resolve({ done: false, value: page })
  }

  return(): Promise<IteratorReturnResult<undefined>> {
    this.#isLast = true
    return DONE
  }
}
