import { createHash } from 'node:crypto'

/** Everything that happened, in order. */
export class Trace {
  /** Milliseconds since the beginning. */
  clock: () => number = () => 0
  readonly lines: string[] = []
  readonly #hash = createHash('sha256')

  /** @param print Gets each line as it is noted. */
  constructor(private readonly print?: (line: string) => void) {}

  note(line: string): void {
    const stamped = `${this.clock()} ${line}`
    this.lines.push(stamped)
    this.#hash.update(`${stamped}\n`)
    this.print?.(stamped)
  }

  /** Hexadecimal SHA-256 of all lines. The trace is over. */
  digest(): string {
    return this.#hash.digest('hex')
  }
}
