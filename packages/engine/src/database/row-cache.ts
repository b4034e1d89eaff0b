import type { Awaitable } from '../ports/key-value-store.js'
import type { Transaction } from './transaction.js'

interface Cached<T> {
  value: T
  readonly isStored: boolean
  isChanged: boolean
}

export interface RowCacheOptions<K extends string, T> {
  readonly txn: Transaction
  /** Where the row lies. */
  readonly keyOf: (id: K) => string
  /** `undefined` bytes: there is no row. */
  readonly decode: (bytes: Uint8Array | undefined, id: K) => T
  /** `undefined`: the row need not be stored. */
  readonly encode: (value: T, id: K) => Uint8Array | undefined
}

/** Decoded rows of one kind, for the length of one update: each is read once and written once. */
export class RowCache<K extends string, T> {
  readonly #options: RowCacheOptions<K, T>
  readonly #rows = new Map<K, Cached<T>>()

  constructor(options: RowCacheOptions<K, T>) {
    this.#options = options
  }

  /** One read for all of them: no wait per key. */
  prefetch(ids: Iterable<K>): Awaitable<void> {
    const missing = new Set<K>()
    for (const id of ids) if (!this.#rows.has(id)) missing.add(id)
    if (missing.size === 0) return
    const keep = (found: readonly (Uint8Array | undefined)[]) => {
      let i = 0
      for (const id of missing) this.#take(id, found[i++])
    }
    const found = this.#options.txn.getMany(Array.from(missing, this.#options.keyOf))
    return found instanceof Promise ? found.then(keep) : keep(found)
  }

  /** A row that was read ahead: a turn for each of them would cost more than what is done with it. */
  now(id: K): T {
    const row = this.#rows.get(id)
    if (!row) throw new TypeError('the row was not read ahead')
    return row.value
  }

  get(id: K): Awaitable<T> {
    const row = this.#rows.get(id)
    if (row) return row.value
    const bytes = this.#options.txn.get(this.#options.keyOf(id))
    return bytes instanceof Promise ? bytes.then((later) => this.#take(id, later)) : this.#take(id, bytes)
  }

  set(id: K, value: T): void {
    const row = this.#rows.get(id)
    if (!row) throw new TypeError('a row is read before it is written')
    row.value = value
    row.isChanged = true
  }

  changed(): K[] {
    return [...this.#rows].filter(([, row]) => row.isChanged).map(([id]) => id)
  }

  /** Writes what was set into the transaction. */
  flush(): void {
    const { txn, keyOf, encode } = this.#options
    for (const [id, row] of this.#rows) {
      if (!row.isChanged) continue
      const bytes = encode(row.value, id)
      if (bytes !== undefined) txn.put(keyOf(id), bytes)
      else if (row.isStored) txn.del(keyOf(id))
    }
  }

  #take(id: K, bytes: Uint8Array | undefined): T {
    const value = this.#options.decode(bytes, id)
    this.#rows.set(id, { value, isStored: bytes !== undefined, isChanged: false })
    return value
  }
}
