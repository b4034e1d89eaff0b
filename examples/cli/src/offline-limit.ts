/**
 * Time without an open link, added up from one sync point to the next: a first round may take as long as it takes, and
 * a hub that lets us in only to fail does not keep us for ever. Starts offline. `end` it when it is not needed any more.
 */
export class OfflineLimit {
  #leftMs: number
  /** `performance.now()`; `undefined` while a link is open. */
  #offlineSinceMs: number | undefined
  #timer: ReturnType<typeof setTimeout> | undefined

  constructor(
    private readonly limitMs: number,
    private readonly onOver: () => void,
  ) {
    this.#leftMs = limitMs
    this.offline()
  }

  offline(): void {
    if (this.#offlineSinceMs !== undefined) return
    this.#offlineSinceMs = performance.now()
    this.#timer = setTimeout(this.onOver, this.#leftMs)
  }

  open(): void {
    if (this.#offlineSinceMs === undefined) return
    this.#leftMs -= performance.now() - this.#offlineSinceMs
    this.#offlineSinceMs = undefined
    clearTimeout(this.#timer)
  }

  /** What the hub had is here. */
  syncPoint(): void {
    this.open()
    this.#leftMs = this.limitMs
  }

  end(): void {
    clearTimeout(this.#timer)
  }
}
