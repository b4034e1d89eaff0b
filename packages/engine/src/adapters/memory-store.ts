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

async function* pages(table: Table, { gte, lt }: KeyRange): AsyncGenerator<readonly KeyValue[]> {
  let page = pageOf(table, gte, lt)
  // Of one moment: the caller may write between two pages.
  const state = page.length < PAGE_ENTRIES ? table : table.fork()
  while (page.length > 0) {
    yield page
    if (page.length < PAGE_ENTRIES) return
    // The least key above the last one.
    page = pageOf(state, `${page.at(-1)![0]}\0`, lt)
  }
}

function pageOf(table: Table, gte: string, lt: string): KeyValue[] {
  const page: KeyValue[] = []
  for (const item of table.range(gte, lt)) if (page.push(item) === PAGE_ENTRIES) break
  return page
}
