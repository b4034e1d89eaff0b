import { DatabaseError } from '@tidemark/protocol'

interface Asked {
  run(): Promise<void>
  fail(error: Error): void
}

/** What a loop is asked to do between two of its turns, when nothing is under way; in order. */
export class BetweenTurns {
  readonly #asked: Asked[] = []
  #isClosed = false

  /** @throws what `act` throws. {DatabaseError} CLOSED: the loop has ended. */
  add<T>(act: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const asked = { run: () => act().then(resolve, reject), fail: reject }
      if (this.#isClosed) reject(closed())
      else this.#asked.push(asked)
    })
  }

  get isEmpty(): boolean {
    return this.#asked.length === 0
  }

  async runNext(): Promise<void> {
    await this.#asked.shift()?.run()
  }

  /** Of the loop: nothing is done any more. */
  close(): void {
    this.#isClosed = true
    for (const { fail } of this.#asked.splice(0)) fail(closed())
  }
}

const closed = (): DatabaseError => new DatabaseError('CLOSED', 'the folder is closed')
