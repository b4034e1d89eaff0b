import type {
  KeyRange,
  KeyValue,
  KeyValueOp,
  KeyValueSnapshot,
  KeyValueStore,
} from '../ports/key-value-store.js'
import { GroupedCalls } from './grouped-calls.js'
import { databaseError, type OpenDatabase, openDatabase, type StorageOptions } from './open-database.js'
import { answered, exact, reading, writing } from './transactions.js'
import { UndoView } from './undo-view.js'

const PAGE = 256

/**
 * An IndexedDB database as a key-value store, with the keys and values that `openLevelStore` has in Node. One
 * tab at a time.
 *
 * @throws {DatabaseError} LOCKED: another tab has it open; IO: the browser refuses.
 * @throws {TypeError} the page is not served securely.
 */
export async function openIndexedDbStore(name: string, options: StorageOptions = {}): Promise<KeyValueStore> {
  return new IndexedDbStore(name, await openDatabase(`tidemark/rows/${name}`, options))
}

interface Batch {
  readonly ops: readonly KeyValueOp[]
  readonly sync: boolean
}

/**
 * Batches are written one after the other, in the order of the calls; those that come while one is written are
 * written as one. IndexedDB runs transactions in the order in which they were made, so that a reader sees what
 * was being written when it began. It has no snapshots: while one is open, each write first reads what it
 * replaces.
 */
class IndexedDbStore implements KeyValueStore {
  readonly #name: string
  readonly #open: OpenDatabase
  readonly #views = new Set<UndoView>()
  readonly #batches = new GroupedCalls<Batch>((batches) => this.#write(batches))
  #closed: Promise<void> | undefined

  constructor(name: string, open: OpenDatabase) {
    this.#name = name
    this.#open = open
  }

  get(key: string): Promise<Uint8Array | undefined> {
    return this.#read((rows) => answered<Uint8Array | undefined>(rows.get(key)))
  }

  getMany(keys: readonly string[]): Promise<(Uint8Array | undefined)[]> {
    return this.#read((rows) =>
      Promise.all(keys.map((key) => answered<Uint8Array | undefined>(rows.get(key)))),
    )
  }

  async *range(range: KeyRange): AsyncGenerator<readonly KeyValue[]> {
    const view = this.#watch()
    try {
      yield* this.#pages(range, view)
    } finally {
      this.#views.delete(view)
    }
  }

  async batch(ops: readonly KeyValueOp[], { sync }: { sync: boolean }): Promise<void> {
    try {
      await this.#batches.add({ ops, sync })
    } catch (error) {
      throw databaseError(this.#name, error)
    }
  }

  snapshot(): KeyValueSnapshot {
    const view = this.#watch()
    return {
      get: async (key) => view.value(key, await this.get(key)),
      getMany: async (keys) => {
        const read = await this.getMany(keys)
        return keys.map((key, i) => view.value(key, read[i]))
      },
      range: (range) => this.#pages(range, view),
      close: async () => void this.#views.delete(view),
    }
  }

  close(): Promise<void> {
    this.#closed ??= this.#batches.idle().then(() => this.#open.close())
    return this.#closed
  }

  #watch(): UndoView {
    const view = new UndoView()
    this.#views.add(view)
    return view
  }

  async #read<T>(run: (rows: IDBObjectStore) => Promise<T>): Promise<T> {
    try {
      return await run(reading(this.#open.database))
    } catch (error) {
      throw databaseError(this.#name, error)
    }
  }

  async *#pages({ gte, lt }: KeyRange, view: UndoView): AsyncGenerator<readonly KeyValue[]> {
    for (let from = gte; from < lt; ) {
      const rows = await this.#page(from, lt)
      const isLast = rows.length < PAGE
      // The least key above the last one.
      const end = isLast ? lt : `${rows.at(-1)![0]}\0`
      const page = view.rows(rows, { gte: from, lt: end })
      if (page.length > 0) yield page
      from = end
    }
  }

  #page(gte: string, lt: string): Promise<KeyValue[]> {
    return this.#read(async (rows) => {
      const range = IDBKeyRange.bound(gte, lt, false, true)
      const [keys, values] = await Promise.all([
        answered<IDBValidKey[]>(rows.getAllKeys(range, PAGE)),
        answered<Uint8Array[]>(rows.getAll(range, PAGE)),
      ])
      return keys.map((key, i) => [key as string, values[i]!])
    })
  }

  async #write(batches: readonly Batch[]): Promise<void> {
    const ops = batches.flatMap((batch) => batch.ops)
    const sync = batches.some((batch) => batch.sync)
    // A later op of a key wins.
    const last = new Map(ops.map((op) => [op.key, op]))
    if (last.size === 0) return
    await writing(this.#open.database, sync, (rows) => {
      // Those that are opened from now on wait for this transaction, and see what it writes.
      const views = [...this.#views]
      for (const key of last.keys()) {
        const unknown = views.filter((view) => !view.has(key))
        if (unknown.length === 0) continue
        rows.get(key).onsuccess = ({ target }) => {
          const { result } = target as IDBRequest<Uint8Array | undefined>
          for (const view of unknown) view.note(key, result)
        }
      }
      for (const op of last.values()) {
        if (op.type === 'del') rows.delete(op.key)
        else rows.put(exact(op.value), op.key)
      }
    })
  }
}
