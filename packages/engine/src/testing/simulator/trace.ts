const FNV_PRIME = 16_777_619

/** What happened in a run, as a running hash, so that two runs can be compared without keeping them. */
export class Trace {
  #low = 0x811c9dc5
  #high = 0x01000193
  readonly #print: ((line: string) => void) | undefined

  /** @param print Gets every line, for a reader. */
  constructor(print?: (line: string) => void) {
    this.#print = print
  }

  add(line: string): void {
    for (let i = 0; i < line.length; i++) {
      this.#low = Math.imul(this.#low ^ line.charCodeAt(i), FNV_PRIME)
      this.#high = Math.imul(this.#high + this.#low, FNV_PRIME) ^ (this.#low >>> 7)
    }
    this.#print?.(line)
  }

  /** 16 hex digits. */
  get hash(): string {
    return [this.#low, this.#high].map((part) => (part >>> 0).toString(16).padStart(8, '0')).join('')
  }
}

/**
 * Lets everything that is under way run until it waits for the outside. There are no timers and no input in
 * a run: all of it is microtasks, and a tick comes when none is left.
 */
export const settle = (): Promise<void> => new Promise((resolve) => process.nextTick(resolve))
