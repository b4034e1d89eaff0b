import { DatabaseError } from '@tidemark/protocol'
import { Level } from 'level'
import type {
  KeyRange,
  KeyValue,
  KeyValueOp,
  KeyValueSnapshot,
  KeyValueStore,
} from '../ports/key-value-store.js'

const PAGE = 512

type Database = Level<string, Uint8Array>
type Snapshot = ReturnType<Database['snapshot']>

/**
 * A directory on disk as a key-value store, by LevelDB. One process at a time.
 *
 * @throws {DatabaseError} LOCKED: another process has it open; CORRUPT.
 */
export async function openLevelStore(directory: string): Promise<KeyValueStore> {
  const database: Database = new Level(directory, { keyEncoding: 'utf8', valueEncoding: 'view' })
  try {
    await database.open()
  } catch (error) {
    throw openError(directory, error as Error)
  }
  return new LevelStore(database)
}

class LevelStore implements KeyValueStore {
  readonly #database: Database

  constructor(database: Database) {
    this.#database = database
  }

  get(key: string): Uint8Array | undefined {
    return this.#database.getSync(key)
  }

  getMany(keys: readonly string[]): Promise<(Uint8Array | undefined)[]> {
    return this.#database.getMany([...keys])
  }

  range(range: KeyRange): AsyncIterable<readonly KeyValue[]> {
    return pages(this.#database, range, undefined)
  }

  async batch(ops: readonly KeyValueOp[], { sync }: { sync: boolean }): Promise<void> {
    // An array of operations costs five times the processor time of a chained batch (measured).
    const batch = this.#database.batch()
    for (const op of ops) {
      if (op.type === 'put') batch.put(op.key, op.value)
      else batch.del(op.key)
    }
    await batch.write({ sync })
  }

  snapshot(): KeyValueSnapshot {
    const database = this.#database
    const snapshot = database.snapshot()
    return {
      get: (key) => database.getSync(key, { snapshot }),
      getMany: (keys) => database.getMany([...keys], { snapshot }),
      range: (range) => pages(database, range, snapshot),
      close: () => snapshot.close(),
    }
  }

  close(): Promise<void> {
    return this.#database.close()
  }
}

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

function openError(directory: string, error: Error): DatabaseError {
  const cause = error.cause as { code?: string } | undefined
  if (cause?.code === 'LEVEL_LOCKED') {
    return new DatabaseError('LOCKED', `${directory}: another process has this database open`, {
      cause: error,
    })
  }
  return new DatabaseError(
    'CORRUPT',
    `${directory}: ${(cause as Error | undefined)?.message ?? error.message}`,
    {
      cause: error,
    },
  )
}
