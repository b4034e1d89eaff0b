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
  /** Rows as they were read or written, `undefined` for none. */
  readonly #rows = new Map<string, Uint8Array | undefined>()
  readonly #written = new Set<string>()
  #sortedKeys: string[] | undefined

  constructor(store: KeyValueStore) {
    this.#store = store
  }

  get(key: string): Awaitable<Uint8Array | undefined> {
    const row = this.#rows.get(key)
    if (row !== undefined || this.#rows.has(key)) return row
    const found = this.#store.get(key)
    return found instanceof Promise ? found.then((later) => this.#keep(key, later)) : this.#keep(key, found)
  }

  getMany(keys: readonly string[]): Awaitable<(Uint8Array | undefined)[]> {
    const fetched = this.prefetch(keys)
    return fetched instanceof Promise ? fetched.then(() => this.#known(keys)) : this.#known(keys)
  }

  /** Reads rows at once, so that `get` need not read them one by one. */
  prefetch(keys: readonly string[]): Awaitable<void> {
    const missing = keys.filter((key) => !this.#rows.has(key))
    if (missing.length === 0) return
    const keep = (found: readonly (Uint8Array | undefined)[]) => {
      for (const [i, key] of missing.entries()) this.#keep(key, found[i])
    }
    const found = this.#store.getMany(missing)
    return found instanceof Promise ? found.then(keep) : keep(found)
  }

  put(key: string, value: Uint8Array): void {
    this.#write(key, value)
  }

  del(key: string): void {
    this.#write(key, undefined)
  }

  #write(key: string, row: Uint8Array | undefined): void {
    this.#rows.set(key, row)
    if (this.#written.has(key)) return
    this.#written.add(key)
    this.#sortedKeys = undefined
  }

  range(range: KeyRange): AsyncIterable<readonly KeyValue[]> {
    this.#sortedKeys ??= [...this.#written].sort()
    const own = this.#sortedKeys
    const [from, to] = [lowerBound(own, range.gte), lowerBound(own, range.lt)]
    return from === to ? this.#store.range(range) : this.#merged(range, own.slice(from, to))
  }

  /** @param own Keys in the range that this transaction has written, ascending. */
  async *#merged(range: KeyRange, own: readonly string[]): AsyncGenerator<readonly KeyValue[]> {
    let next = 0
    const takeOwn = (page: KeyValue[]) => {
      const key = own[next++]!
      const value = this.#rows.get(key)
      if (value !== undefined) page.push([key, value])
    }
    for await (const basePage of this.#store.range(range)) {
      const page: KeyValue[] = []
      for (const item of basePage) {
        while (next < own.length && own[next]! < item[0]) takeOwn(page)
        if (next < own.length && own[next] === item[0]) takeOwn(page)
        else page.push(item)
      }
      if (page.length > 0) yield page
    }
    while (next < own.length) {
      const page: KeyValue[] = []
      while (next < own.length && page.length < PAGE_ENTRIES) takeOwn(page)
      if (page.length > 0) yield page
    }
  }

  #known(keys: readonly string[]): (Uint8Array | undefined)[] {
    return keys.map((key) => this.#rows.get(key))
  }

  /** What was written while the read was under way stays. */
  #keep(key: string, row: Uint8Array | undefined): Uint8Array | undefined {
    if (!this.#written.has(key)) this.#rows.set(key, row)
    return row
  }

  get size(): number {
    return this.#written.size
  }

  /** Atomic; with `sync` durable when it resolves. */
  commit(options: { sync: boolean }): Awaitable<void> {
    const ops: KeyValueOp[] = []
    for (const key of this.#written) {
      const value = this.#rows.get(key)
      ops.push(value === undefined ? { type: 'del', key } : { type: 'put', key, value })
    }
    if (ops.length > 0 || options.sync) return this.#store.batch(ops, options)
  }
}
