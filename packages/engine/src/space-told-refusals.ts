import { Observable, Subject } from 'rxjs'
import type { SpaceDatabase } from './database/space-database.js'
import { type Refused, refusedRows } from './database/space-refusals.js'

/**
 * Tells a program what a hub refused of its writes. What nobody was told, because the program ended or does not
 * listen yet, stands in the database and is told to whoever listens first.
 */
export class ToldRefusals {
  readonly #refused = new Subject<Refused>()
  #isUntold = true

  /** @param database `undefined`: the rows are those of a folder, which deals with them. */
  constructor(private readonly database: Pick<SpaceDatabase, 'rows' | 'writeRows'> | undefined) {}

  readonly refused$ = new Observable<Refused>((subscriber) => {
    const subscription = this.#refused.subscribe(subscriber)
    if (this.#isUntold) {
      this.#isUntold = false
      // Told again at the next start what cannot be read or forgotten now.
      this.#tellStored().catch(() => undefined)
    }
    return subscription
  })

  async take(all: readonly Refused[]): Promise<void> {
    if (!this.#refused.observed) {
      this.#isUntold = true
      return
    }
    for (const each of all) this.#refused.next(each)
    await this.#forget(all)
  }

  complete(): void {
    this.#refused.complete()
  }

  async #tellStored(): Promise<void> {
    if (!this.database) return
    for await (const page of this.database.rows.range(refusedRows.range)) {
      const stored = page.map(([, row]) => refusedRows.decode(row))
      for (const each of stored) this.#refused.next(each)
      await this.#forget(stored)
    }
  }

  async #forget(told: readonly Refused[]): Promise<void> {
    await this.database?.writeRows(
      told.map(({ node }) => ({ type: 'del', key: refusedRows.key(node) })),
      { sync: false },
    )
  }
}
