import type { Random } from '../../ports/random.js'

/** Mulberry32: one seed gives one sequence; good enough to choose what happens next. */
export class SeededRandom implements Random {
  #state: number

  constructor(seed: number) {
    this.#state = Math.imul(seed ^ (seed >>> 16), 0x45d9f3b) >>> 0
  }

  /** 0 to `count` - 1. */
  below(count: number): number {
    return Math.floor((this.#next() / 2 ** 32) * count)
  }

  /** True in `share` of all cases. */
  chance(share: number): boolean {
    return this.#next() < share * 2 ** 32
  }

  /** Precondition: not empty. */
  pick<T>(from: readonly T[]): T {
    return from[this.below(from.length)]!
  }

  /** A key of the table, as often as its weight says. */
  weighted<K extends string>(weights: Readonly<Record<K, number>>): K {
    const entries = Object.entries(weights) as [K, number][]
    let rest = this.below(entries.reduce((sum, [, weight]) => sum + weight, 0))
    for (const [key, weight] of entries) {
      if (rest < weight) return key
      rest -= weight
    }
    throw new RangeError('weights: expected a positive sum')
  }

  /** A sequence of its own. */
  fork(): SeededRandom {
    return new SeededRandom(this.#next())
  }

  bytes(length: number): Uint8Array {
    return Uint8Array.from({ length }, () => this.#next() >>> 24)
  }

  #next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let t = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return (t ^ (t >>> 14)) >>> 0
  }
}
