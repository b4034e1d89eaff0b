import type { FolderEvent } from './folder-binding.js'
import type { Hold } from './holds.js'

/** What waits for a person now, and what they decided. */
export class HoldState {
  #current: Hold | undefined
  /** A person let the held deletions go. */
  deletesAccepted = false

  constructor(private readonly onEvent: (event: FolderEvent) => void) {}

  get current(): Hold | undefined {
    return this.#current
  }

  because(hold: Hold): void {
    if (this.#current?.reason !== hold.reason) {
      this.onEvent({ type: 'held', path: '', detail: hold.reason })
    }
    this.#current = hold
  }

  /** The cause is gone by itself, if it was of this kind. */
  end(kind: Hold['kind']): void {
    if (this.#current?.kind === kind) this.#current = undefined
  }

  /** A person decided. */
  release(): void {
    this.#current = undefined
  }
}
