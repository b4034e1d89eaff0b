import type {
  KeyRange,
  KeyValue,
  KeyValueOp,
  KeyValueSnapshot,
  KeyValueStore,
} from '../ports/key-value-store.js'

const PAGE = 256

/** Keys in order and their values; never changed once it is shared with a snapshot. */
interface Table {
  readonly values: Map<string, Uint8Array>
  keys: string[] | undefined
}

/**
 * An ordered map in memory that answers at once. For tests, simulators and caches that may be lost.
 *
 * `crash()` gives what a durable store could hold after a power cut: the state at some batch that is
 * not older than the last one with `sync`.
 */
export class MemoryKeyValueStore implements KeyValueStore {
  #table: Table
  #shared = false
  /** Batches after the last durable one, oldest first: what a crash may lose. */
  #unsynced: (readonly KeyValueOp[])[] = []
  #durable: Table | undefined
  readonly #tracksCrashes: boolean

  constructor(options: { crashable?: boolean; entries?: Iterable<KeyValue> } = {}) {
    this.#table = { values: new Map(options.entries ?? []), keys: undefined }
    this.#tracksCrashes = options.crashable === true
    if (this.#tracksCrashes) this.#durable = copy(this.#table)
  }

  get(key: string): Uint8Array | undefined {
    return this.#table.values.get(key)
  }

  getMany(keys: readonly string[]): (Uint8Array | undefined)[] {
    return keys.map((key) => this.#table.values.get(key))
  }

  range(range: KeyRange): AsyncIterable<readonly KeyValue[]> {
    return pages(this.#table, range)
  }

  async batch(ops: readonly KeyValueOp[], { sync }: { sync: boolean }): Promise<void> {
    if (this.#shared) {
      this.#table = copy(this.#table)
      this.#shared = false
    }
    apply(this.#table, ops)
    if (!this.#tracksCrashes) return
    this.#unsynced.push(ops)
    if (!sync) return
    for (const batch of this.#unsynced) apply(this.#durable!, batch)
    this.#unsynced = []
  }

  snapshot(): KeyValueSnapshot {
    this.#shared = true
    const table = this.#table
    return {
      get: (key) => table.values.get(key),
      getMany: (keys) => keys.map((key) => table.values.get(key)),
      range: (range) => pages(table, range),
      close: async () => undefined,
    }
  }

  async close(): Promise<void> {}

  /** Batches that a crash could lose now. */
  get unsyncedBatches(): number {
    return this.#unsynced.length
  }

  /**
   * A new store as it could be found after a power cut.
   *
   * @param kept How many of the unsynced batches made it, 0 to `unsyncedBatches`.
   */
  crash(kept: number): MemoryKeyValueStore {
    if (!this.#durable) throw new TypeError('the store was not made crashable')
    const table = copy(this.#durable)
    for (const batch of this.#unsynced.slice(0, kept)) apply(table, batch)
    return new MemoryKeyValueStore({ crashable: true, entries: table.values })
  }

  /** A copy of everything, as an old backup that may be opened later. */
  backup(): MemoryKeyValueStore {
    return new MemoryKeyValueStore({ crashable: this.#tracksCrashes, entries: this.#table.values })
  }
}

function copy(table: Table): Table {
  return { values: new Map(table.values), keys: table.keys }
}

function apply(table: Table, ops: readonly KeyValueOp[]): void {
  for (const op of ops) {
    if (op.type === 'put') {
      if (!table.values.has(op.key)) table.keys = undefined
      table.values.set(op.key, op.value)
    } else if (table.values.delete(op.key)) {
      table.keys = undefined
    }
  }
}

async function* pages(table: Table, range: KeyRange): AsyncGenerator<readonly KeyValue[]> {
  // Collected first: the caller may write while it iterates.
  table.keys ??= [...table.values.keys()].sort()
  const found: KeyValue[] = []
  for (let i = lowerBound(table.keys, range.gte); i < table.keys.length; i++) {
    const key = table.keys[i]!
    if (key >= range.lt) break
    found.push([key, table.values.get(key)!])
  }
  for (let at = 0; at < found.length; at += PAGE) yield found.slice(at, at + PAGE)
}

function lowerBound(sorted: readonly string[], key: string): number {
  let low = 0
  let high = sorted.length
  while (low < high) {
    const mid = (low + high) >>> 1
    if (sorted[mid]! < key) low = mid + 1
    else high = mid
  }
  return low
}
