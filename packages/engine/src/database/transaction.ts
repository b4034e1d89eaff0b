import { lowerBound } from '../adapters/sorted-map.js'
import type {
  Awaitable,
  KeyRange,
  KeyValue,
  KeyValueOp,
  KeyValueReader,
  KeyValueStore,
} from '../ports/key-value-store.js'

/** For what only this transaction holds; the store has its own pages. */
const PAGE_ENTRIES = 256

/**
 * Reads through to the store, keeps writes until `commit`, and sees its own writes. One writer at a
 * time: the caller holds the space's lock, so what was read once is not read again. Dropping a
 * transaction without `commit` undoes it.
 */
export class Transaction implements KeyValueReader {
  readonly #store: KeyValueStore
  readonly #writes = new Map<string, Uint8Array | undefined>()
  /** Rows of the store as they were read, `undefined` for none. */
  readonly #reads = new Map<string, Uint8Array | undefined>()
  #sortedKeys: string[] | undefined

  constructor(store: KeyValueStore) {
    this.#store = store
  }

  get(key: string): Awaitable<Uint8Array | undefined> {
    if (this.#writes.has(key)) return this.#writes.get(key)
    if (this.#reads.has(key)) return this.#reads.get(key)
    const found = this.#store.get(key)
    return found instanceof Promise ? found.then((later) => this.#keep(key, later)) : this.#keep(key, found)
  }

  getMany(keys: readonly string[]): Awaitable<(Uint8Array | undefined)[]> {
    const fetched = this.prefetch(keys)
    return fetched instanceof Promise ? fetched.then(() => this.#known(keys)) : this.#known(keys)
  }

  /** Reads rows at once, so that `get` need not read them one by one. */
  prefetch(keys: readonly string[]): Awaitable<void> {
    const missing = keys.filter((key) => !this.#isKnown(key))
    if (missing.length === 0) return
    const keep = (found: readonly (Uint8Array | undefined)[]) => {
      for (const [i, key] of missing.entries()) this.#reads.set(key, found[i])
    }
    const found = this.#store.getMany(missing)
    return found instanceof Promise ? found.then(keep) : keep(found)
  }

  put(key: string, value: Uint8Array): void {
    if (!this.#writes.has(key)) this.#sortedKeys = undefined
    this.#writes.set(key, value)
  }

  del(key: string): void {
    if (!this.#writes.has(key)) this.#sortedKeys = undefined
    this.#writes.set(key, undefined)
  }

  async *range(range: KeyRange): AsyncGenerator<readonly KeyValue[]> {
    this.#sortedKeys ??= [...this.#writes.keys()].sort()
    const own = this.#sortedKeys
    let next = lowerBound(own, range.gte)
    const end = lowerBound(own, range.lt)
    const takeOwn = (page: KeyValue[]) => {
      const key = own[next++]!
      const value = this.#writes.get(key)
      if (value !== undefined) page.push([key, value])
    }
    for await (const basePage of this.#store.range(range)) {
      const page: KeyValue[] = []
      for (const item of basePage) {
        while (next < end && own[next]! < item[0]) takeOwn(page)
        if (next < end && own[next] === item[0]) takeOwn(page)
        else page.push(item)
      }
      if (page.length > 0) yield page
    }
    while (next < end) {
      const page: KeyValue[] = []
      while (next < end && page.length < PAGE_ENTRIES) takeOwn(page)
      if (page.length > 0) yield page
    }
  }

  #isKnown(key: string): boolean {
    return this.#writes.has(key) || this.#reads.has(key)
  }

  #known(keys: readonly string[]): (Uint8Array | undefined)[] {
    return keys.map((key) => (this.#writes.has(key) ? this.#writes.get(key) : this.#reads.get(key)))
  }

  #keep(key: string, row: Uint8Array | undefined): Uint8Array | undefined {
    this.#reads.set(key, row)
    return row
  }

  get size(): number {
    return this.#writes.size
  }

  /** Atomic; with `sync` durable when it resolves. */
  async commit(options: { sync: boolean }): Promise<void> {
    const ops: KeyValueOp[] = []
    for (const [key, value] of this.#writes) {
      ops.push(value === undefined ? { type: 'del', key } : { type: 'put', key, value })
    }
    if (ops.length > 0 || options.sync) await this.#store.batch(ops, options)
  }
}
