import { setTimeout as delay } from 'node:timers/promises'
import { DatabaseError, equalBytes } from '@tidemark/protocol'
import { Level } from 'level'
import type {
  KeyRange,
  KeyValue,
  KeyValueOp,
  KeyValueSnapshot,
  KeyValueStore,
} from '../ports/key-value-store.js'

const PAGE = 512
/** Between attempts to open a database again whose disk failed. */
const REOPEN_MS = 1_000

type Database = Level<string, Uint8Array>
type Snapshot = ReturnType<Database['snapshot']>

/**
 * A directory on disk as a key-value store, by LevelDB. One process at a time.
 *
 * @throws {DatabaseError} LOCKED: another process has it open; NO_SPACE, IO: the disk refused; CORRUPT.
 */
export async function openLevelStore(directory: string): Promise<KeyValueStore> {
  const database: Database = new Level(directory, { keyEncoding: 'utf8', valueEncoding: 'view' })
  try {
    await database.open()
  } catch (error) {
    throw databaseError(directory, error as Error)
  }
  return new LevelStore(database, directory)
}

interface Waiting {
  readonly ops: readonly KeyValueOp[]
  readonly sync: boolean
  resolve(): void
  reject(error: unknown): void
}

/**
 * Batches are written one after the other, in the order of the calls (LevelDB's threads would not keep it);
 * those that come while one is written are written as one.
 *
 * After a write that failed LevelDB must be opened again: its log ends in a torn record, and what it
 * acknowledges behind that record is lost at the next start. Until that is done, tried once a second, every
 * call fails with the same error.
 */
class LevelStore implements KeyValueStore {
  readonly #database: Database
  readonly #directory: string
  #waiting: Waiting[] = []
  #writing: Promise<void> | undefined
  #down: DatabaseError | undefined
  #closed: Promise<void> | undefined

  constructor(database: Database, directory: string) {
    this.#database = database
    this.#directory = directory
  }

  get(key: string): Uint8Array | undefined {
    return this.#up().getSync(key)
  }

  async getMany(keys: readonly string[]): Promise<(Uint8Array | undefined)[]> {
    return this.#up().getMany([...keys])
  }

  range(range: KeyRange): AsyncIterable<readonly KeyValue[]> {
    return pages(this.#up(), range, undefined)
  }

  batch(ops: readonly KeyValueOp[], { sync }: { sync: boolean }): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ ops, sync, resolve, reject })
      this.#writing ??= this.#writeAll()
    })
  }

  snapshot(): KeyValueSnapshot {
    const database = this.#up()
    const snapshot = database.snapshot()
    return {
      get: (key) => database.getSync(key, { snapshot }),
      getMany: (keys) => database.getMany([...keys], { snapshot }),
      range: (range) => pages(database, range, snapshot),
      close: () => snapshot.close(),
    }
  }

  close(): Promise<void> {
    this.#closed ??= (this.#writing ?? Promise.resolve()).then(() => this.#database.close())
    return this.#closed
  }

  #up(): Database {
    if (this.#down) throw this.#down
    return this.#database
  }

  async #writeAll(): Promise<void> {
    while (this.#waiting.length > 0) {
      const taken = this.#waiting
      this.#waiting = []
      try {
        await this.#write(taken)
        for (const { resolve } of taken) resolve()
      } catch (error) {
        const failure = this.#failed(error, taken)
        for (const { reject } of taken) reject(failure)
      }
    }
    this.#writing = undefined
  }

  async #write(taken: readonly Waiting[]): Promise<void> {
    // An array of operations costs five times the processor time of a chained batch (measured).
    const batch = this.#up().batch()
    for (const { ops } of taken) {
      for (const op of ops) {
        if (op.type === 'put') batch.put(op.key, op.value)
        else batch.del(op.key)
      }
    }
    await batch.write({ sync: taken.some(({ sync }) => sync) })
  }

  #failed(error: unknown, taken: readonly Waiting[]): unknown {
    const { code } = error as { code?: string }
    if (this.#down || (code !== 'LEVEL_IO_ERROR' && code !== 'LEVEL_CORRUPTION')) return error
    this.#down = databaseError(this.#directory, error as Error)
    void this.#reopen(taken.flatMap(({ ops }) => ops.map(({ key }) => key)))
    return this.#down
  }

  /** @param keys What the failed write was about. */
  async #reopen(keys: readonly string[]): Promise<void> {
    const before = await this.#database.getMany([...keys]).catch(() => undefined)
    await this.#database.close().catch(() => undefined)
    for (;;) {
      if (this.#closed) return
      try {
        await this.#database.open()
        break
      } catch {
        await delay(REOPEN_MS, undefined, { ref: false })
      }
    }
    const after = await this.#database.getMany([...keys]).catch(() => undefined)
    // Whoever wrote it was told that it is not there: if it is, they name things twice.
    const isUndone = before !== undefined && after?.every((value, i) => isSame(value, before[i])) === true
    this.#down = isUndone
      ? undefined
      : new DatabaseError('CLOSED', `${this.#directory}: a write that failed was done after all: start again`)
  }
}

const isSame = (a: Uint8Array | undefined, b: Uint8Array | undefined): boolean =>
  a === undefined || b === undefined ? a === b : equalBytes(a, b)

async function* pages(
  database: Database,
  range: KeyRange,
  snapshot: Snapshot | undefined,
): AsyncGenerator<readonly KeyValue[]> {
  const iterator = database.iterator({ gte: range.gte, lt: range.lt, ...(snapshot ? { snapshot } : {}) })
  try {
    for (;;) {
      const page = await iterator.nextv(PAGE)
      if (page.length === 0) return
      yield page
    }
  } finally {
    await iterator.close()
  }
}

function databaseError(directory: string, error: Error): DatabaseError {
  const cause = (error.cause ?? error) as { code?: string; message: string }
  const options = { cause: error }
  if (cause.code === 'LEVEL_LOCKED') {
    return new DatabaseError('LOCKED', `${directory}: another process has this database open`, options)
  }
  if (/No space left on device|Disk quota exceeded/i.test(cause.message)) {
    return new DatabaseError('NO_SPACE', `${directory}: no space left for the database`, options)
  }
  const code = cause.code === 'LEVEL_IO_ERROR' ? 'IO' : 'CORRUPT'
  return new DatabaseError(code, `${directory}: ${cause.message}`, options)
}
