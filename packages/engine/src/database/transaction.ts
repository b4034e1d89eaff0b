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
 * time: the caller holds the space's lock. Dropping a transaction without `commit` undoes it.
 */
export class Transaction implements KeyValueReader {
  readonly #store: KeyValueStore
  readonly #writes = new Map<string, Uint8Array | undefined>()
  #sortedKeys: string[] | undefined

  constructor(store: KeyValueStore) {
    this.#store = store
  }

  get(key: string): Awaitable<Uint8Array | undefined> {
    return this.#writes.has(key) ? this.#writes.get(key) : this.#store.get(key)
  }

  getMany(keys: readonly string[]): Awaitable<(Uint8Array | undefined)[]> {
    const missing = keys.filter((key) => !this.#writes.has(key))
    if (missing.length === 0) return keys.map((key) => this.#writes.get(key))
    const merge = (found: readonly (Uint8Array | undefined)[]) => {
      let next = 0
      return keys.map((key) => (this.#writes.has(key) ? this.#writes.get(key) : found[next++]))
    }
    const found = this.#store.getMany(missing)
    return found instanceof Promise ? found.then(merge) : merge(found)
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
