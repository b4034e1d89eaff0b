import { DatabaseError } from '@tidemark/protocol'
import { TABLE } from './transactions.js'

/** A page that was reloaded is let go of about now: its lock is waited for. */
const LOCK_WAIT_MS = 3_000

export interface StorageOptions {
  /** What keeps other tabs away. @default those of the page */
  readonly locks?: Pick<LockManager, 'request'>
}

/** An IndexedDB database with one table, and the lock of its name. */
export interface OpenDatabase {
  readonly database: IDBDatabase
  close(): Promise<void>
}

/**
 * @throws {DatabaseError} LOCKED: another tab has it open; IO: the browser refuses.
 * @throws {TypeError} a page that is not served securely (https or localhost) has no locks: two tabs would name
 *   their writes alike.
 */
export async function openDatabase(name: string, { locks }: StorageOptions): Promise<OpenDatabase> {
  const unlock = await lock(name, locks ?? pageLocks())
  try {
    const database = await open(name)
    return {
      database,
      close: async () => {
        // Transactions that run are finished first, by the browser.
        database.close()
        unlock()
      },
    }
  } catch (error) {
    unlock()
    throw databaseError(name, error)
  }
}

function pageLocks(): LockManager {
  const { locks } = navigator as { locks?: LockManager }
  if (!locks) throw new TypeError('a replica needs a page that is served by https or localhost')
  return locks
}

/** @returns gives the lock back. */
async function lock(name: string, locks: Pick<LockManager, 'request'>): Promise<() => void> {
  return new Promise((resolve, reject) => {
    const signal = AbortSignal.timeout(LOCK_WAIT_MS)
    const held = (): Promise<void> => new Promise((unlock) => resolve(unlock))
    locks.request(`tidemark:${name}`, { signal }, held).catch((error: unknown) => {
      reject(
        signal.aborted
          ? new DatabaseError('LOCKED', `${name}: another tab has this database open`)
          : databaseError(name, error),
      )
    })
  })
}

function open(name: string): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(name, 1)
    request.onupgradeneeded = () => request.result.createObjectStore(TABLE)
    request.onsuccess = () => resolve(request.result)
    request.onerror = () => reject(request.error)
  })
}

/** What IndexedDB throws, as the engine knows it. */
export function databaseError(name: string, error: unknown): DatabaseError {
  if (error instanceof DatabaseError) return error
  const { name: kind = '', message = String(error) } = (error ?? {}) as { name?: string; message?: string }
  const options = { cause: error }
  if (kind === 'QuotaExceededError') {
    return new DatabaseError('NO_SPACE', `${name}: the browser gives no more space`, options)
  }
  if (kind === 'InvalidStateError') return new DatabaseError('CLOSED', `${name}: ${message}`, options)
  return new DatabaseError('IO', `${name}: ${message}`, options)
}
