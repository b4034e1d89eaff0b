import type { Connection } from '@tidemark/protocol'
import { decoded } from './mutation.js'

/** How the hub takes it that somebody breaks the protocol: it must name what was wrong, and hang up. */
export class Verdict {
  #answer: string | undefined
  #isClosed = false

  /** Opens the connection. @param answers Codes of faults that are right. */
  constructor(
    connection: Connection,
    private readonly who: string,
    private readonly answers: ReadonlySet<string>,
  ) {
    connection.open({
      frame: (bytes) => {
        const message = decoded(bytes)
        if (message?.type === 'fault') this.#answer ??= message.code
      },
      closed: () => {
        this.#isClosed = true
      },
    })
  }

  get complaint(): string | undefined {
    if (!this.#isClosed) return `${this.who}: the hub still listens`
    if (this.#answer === undefined || this.answers.has(this.#answer)) return undefined
    return `${this.who}: ${this.#answer} was the answer`
  }
}
