import type { ChunkId, WantedVersion } from '@tidemark/protocol'
import type { WantedContent } from '../binding.js'
import type { SpaceDatabase } from '../database/space-database.js'
import type { KeyValueOp } from '../ports/key-value-store.js'

const PREFIX = 'want/'
const encoder = new TextEncoder()
const decoder = new TextDecoder()

/**
 * Contents that a hub shows and lacks, until this device has looked whether it holds them. In the database:
 * a hub that lost everything names everything, and no crash forgets it.
 */
export class WantedContents {
  readonly #database: Pick<SpaceDatabase, 'rows' | 'writeRows'>

  /** While all are forgotten: those that are asked for in the meantime, and stay. */
  #asked: Set<string> | undefined

  constructor(database: Pick<SpaceDatabase, 'rows' | 'writeRows'>) {
    this.#database = database
  }

  async add(versions: readonly WantedVersion[]): Promise<void> {
    for (const { root } of versions) this.#asked?.add(root)
    const ops = versions.map(
      ({ root, size }): KeyValueOp => ({ type: 'put', key: PREFIX + root, value: encoder.encode(`${size}`) }),
    )
    await this.#database.writeRows(ops, { sync: false })
  }

  async isEmpty(): Promise<boolean> {
    for await (const page of this.#range()) if (page.length > 0) return false
    return true
  }

  /** Those of these roots that are wanted. */
  async among(roots: readonly ChunkId[]): Promise<ReadonlySet<ChunkId>> {
    const values = await this.#database.rows.getMany(roots.map((root) => PREFIX + root))
    return new Set(roots.filter((_, i) => values[i] !== undefined))
  }

  /** All of them, in pages. */
  async *all(): AsyncIterable<readonly WantedContent[]> {
    for await (const page of this.#range())
      yield page.map(([key, value]) => ({
        root: key.slice(PREFIX.length) as ChunkId,
        size: Number(decoder.decode(value)),
      }))
  }

  /** The hub has them now. */
  async settle(roots: Iterable<ChunkId>): Promise<void> {
    await this.#delete([...roots].map((root) => PREFIX + root))
  }

  /** This device does not hold the others: the hub asks again when it is connected to next. */
  async clear(): Promise<void> {
    const asked = new Set<string>()
    this.#asked = asked
    try {
      for await (const page of this.#range())
        await this.#delete(page.map(([key]) => key).filter((key) => !asked.has(key.slice(PREFIX.length))))
    } finally {
      this.#asked = undefined
    }
  }

  #range() {
    return this.#database.rows.range({ gte: PREFIX, lt: `${PREFIX}~` })
  }

  async #delete(keys: readonly string[]): Promise<void> {
    if (keys.length === 0) return
    await this.#database.writeRows(
      keys.map((key): KeyValueOp => ({ type: 'del', key })),
      { sync: false },
    )
  }
}
