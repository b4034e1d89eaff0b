import { Observable, Subject } from 'rxjs'
import type { SpaceDatabase } from './database/space-database.js'
import { type Refused, refusedRows } from './database/space-refusals.js'
import type { KeyValueOp } from './ports/key-value-store.js'

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
    await this.#tell(all)
  }

  complete(): void {
    this.#refused.complete()
  }

  async #tellStored(): Promise<void> {
    if (!this.database) return
    for await (const page of this.database.rows.range(refusedRows.range)) {
      if (!(await this.#tell(page.map(([, row]) => refusedRows.decode(row))))) return
    }
  }

  /** @returns whether somebody listened to all. */
  async #tell(all: readonly Refused[]): Promise<boolean> {
    const told: Refused[] = []
    for (const each of all) {
      // Whoever listens may need no more than one.
      if (!this.#refused.observed) break
      this.#refused.next(each)
      told.push(each)
    }
    const isDone = told.length === all.length
    if (!isDone) this.#isUntold = true
    const ops = told.map(({ node }): KeyValueOp => ({ type: 'del', key: refusedRows.key(node) }))
    if (ops.length > 0) await this.database?.writeRows(ops, { sync: false })
    return isDone
  }
}
