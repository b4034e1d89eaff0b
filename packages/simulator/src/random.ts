/** mulberry32, a small generator in the public domain by Tommy Ettinger: the same run for one seed. */
export class SimRandom {
  #state: number

  constructor(seed: number) {
    this.#state = seed >>> 0
  }

  /** A sequence of its own for one purpose: what others draw does not change it. */
  static of(seed: number, purpose: string): SimRandom {
    let state = seed >>> 0
    for (let i = 0; i < purpose.length; i++)
      state = Math.imul(state ^ purpose.charCodeAt(i), 0x01000193) >>> 0
    const random = new SimRandom(state)
    // Near seeds begin alike.
    for (let i = 0; i < 3; i++) random.below(2)
    return random
  }

  /** A whole number from 0 to `below` - 1. */
  below(below: number): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let t = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) % below
  }

  chance(oneIn: number): boolean {
    return this.below(oneIn) === 0
  }

  pick<T>(items: readonly T[]): T | undefined {
    return items.length === 0 ? undefined : items[this.below(items.length)]
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

  bytes = (length: number): Uint8Array => Uint8Array.from({ length }, () => this.below(256))
}
