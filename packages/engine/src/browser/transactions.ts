import { unshared } from '../adapters/unshared.js'

/** The one table of each of our databases. */
export const TABLE = 'rows'

/** The table, for requests that are made at once. */
export const reading = (database: IDBDatabase): IDBObjectStore =>
  database.transaction(TABLE).objectStore(TABLE)

/**
 * One transaction: all that `run` asks of the table, or nothing.
 *
 * @param sync Resolve when it is durable, not when the system has it.
 */
export async function writing(
  database: IDBDatabase,
  sync: boolean,
  run: (rows: IDBObjectStore) => void,
): Promise<void> {
  const transaction = database.transaction(TABLE, 'readwrite', { durability: sync ? 'strict' : 'relaxed' })
  const committed = new Promise<void>((resolve, reject) => {
    transaction.oncomplete = () => resolve()
    transaction.onabort = () => reject(transaction.error ?? new Error('the transaction was aborted'))
  })
  try {
    run(transaction.objectStore(TABLE))
    transaction.commit()
  } catch (error) {
    committed.catch(() => undefined)
    transaction.abort()
    throw error
  }
  await committed
}

export function answered<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result)
    request.onerror = () => reject(request.error)
  })
}

/** Of a view on a larger buffer IndexedDB would keep the whole buffer. */
export function exact(bytes: Uint8Array): Uint8Array {
  const plain = unshared(bytes)
  return plain.length === plain.buffer.byteLength ? plain : plain.slice()
}
