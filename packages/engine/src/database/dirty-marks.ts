import type { EntryKey } from '../core/view-entry.js'
import type { KeyValueReader } from '../ports/key-value-store.js'
import { decodeJson, encodeJson } from './json-row.js'
import type { Transaction } from './transaction.js'

/** Which entries a binder must still look at, in the order in which they were marked. */
export class DirtyMarks {
  readonly #byOrder: string
  readonly #byKey: string

  constructor(prefix: string) {
    this.#byOrder = `${prefix}do/`
    this.#byKey = `${prefix}dk/`
  }

  /** Marked again: goes to the end. @param after The last order number given out. @returns the new last one. */
  async mark(txn: Transaction, marked: readonly EntryKey[], after: number): Promise<number> {
    // Named twice it would have two places, and be cleared at one.
    const keys = [...new Set(marked)]
    const rows = await txn.getMany(keys.map((key) => this.#byKey + key))
    let order = after
    for (const [i, key] of keys.entries()) {
      const old = decodeJson<string>(rows[i])
      if (old !== undefined) txn.del(this.#byOrder + old)
      const place = (++order).toString(16).padStart(14, '0')
      txn.put(this.#byOrder + place, encodeJson(key))
      txn.put(this.#byKey + key, encodeJson(place))
    }
    return order
  }

  async clear(txn: Transaction, keys: readonly EntryKey[]): Promise<void> {
    const rows = await txn.getMany(keys.map((key) => this.#byKey + key))
    for (const [i, key] of keys.entries()) {
      const place = decodeJson<string>(rows[i])
      if (place === undefined) continue
      txn.del(this.#byOrder + place)
      txn.del(this.#byKey + key)
    }
  }

  async oldest(kv: KeyValueReader, limit: number): Promise<EntryKey[]> {
    const out: EntryKey[] = []
    for await (const page of kv.range({ gte: this.#byOrder, lt: `${this.#byOrder}~` })) {
      for (const [, value] of page) {
        if (out.length >= limit) return out
        out.push(decodeJson<EntryKey>(value)!)
      }
    }
    return out
  }
}
