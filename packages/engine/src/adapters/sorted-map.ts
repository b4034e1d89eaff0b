/** Entries of one block: few blocks make forks cheap, small ones make the first change after a fork cheap. */
const BLOCK_ENTRIES_MAX = 32

interface Block<V> {
  readonly keys: string[]
  readonly values: V[]
  /** The map that may change this block; every other one copies it first. */
  readonly owner: object
}

/**
 * An ordered map in sorted blocks that are shared between copies: `fork` costs one pointer a block, a
 * change after it one block. Keys compare like their UTF-16 code units (ASCII: like bytes).
 */
export class SortedMap<V> {
  #blocks: Block<V>[]
  #owner: object = {}

  private constructor(blocks: Block<V>[]) {
    this.#blocks = blocks
  }

  static empty<V>(): SortedMap<V> {
    return new SortedMap<V>([])
  }

  /** A copy; later changes of either are not seen by the other. */
  fork(): SortedMap<V> {
    this.#owner = {}
    return new SortedMap([...this.#blocks])
  }

  get(key: string): V | undefined {
    const block = this.#blocks[this.#blockOf(key)]
    if (!block) return undefined
    const at = lowerBound(block.keys, key)
    return block.keys[at] === key ? block.values[at] : undefined
  }

  set(key: string, value: V): void {
    if (this.#blocks.length === 0) this.#blocks.push({ keys: [], values: [], owner: this.#owner })
    const index = this.#blockOf(key)
    const block = this.#own(index)
    const at = lowerBound(block.keys, key)
    if (block.keys[at] === key) {
      block.values[at] = value
      return
    }
    block.keys.splice(at, 0, key)
    block.values.splice(at, 0, value)
    if (block.keys.length > BLOCK_ENTRIES_MAX) this.#split(index)
  }

  delete(key: string): void {
    const index = this.#blockOf(key)
    const shared = this.#blocks[index]
    if (!shared) return
    const at = lowerBound(shared.keys, key)
    if (shared.keys[at] !== key) return
    const block = this.#own(index)
    block.keys.splice(at, 1)
    block.values.splice(at, 1)
    if (block.keys.length === 0) this.#blocks.splice(index, 1)
  }

  /** The first `countMax` entries with `gte` <= key < `lt`, in order. */
  range(gte: string, lt: string, countMax = Number.POSITIVE_INFINITY): (readonly [string, V])[] {
    const out: (readonly [string, V])[] = []
    for (let index = this.#blockOf(gte); index < this.#blocks.length; index++) {
      const { keys, values } = this.#blocks[index]!
      for (let at = lowerBound(keys, gte); at < keys.length; at++) {
        if (keys[at]! >= lt || out.length >= countMax) return out
        out.push([keys[at]!, values[at]!])
      }
    }
    return out
  }

  /** The last block that begins at or below `key`, else the first. */
  #blockOf(key: string): number {
    let low = 0
    let high = this.#blocks.length
    while (low < high) {
      const mid = (low + high) >>> 1
      if (this.#blocks[mid]!.keys[0]! <= key) low = mid + 1
      else high = mid
    }
    return Math.max(0, low - 1)
  }

  #own(index: number): Block<V> {
    const block = this.#blocks[index]!
    if (block.owner === this.#owner) return block
    const own = { keys: [...block.keys], values: [...block.values], owner: this.#owner }
    this.#blocks[index] = own
    return own
  }

  #split(index: number): void {
    const { keys, values, owner } = this.#blocks[index]!
    const half = keys.length >>> 1
    const upper = { keys: keys.splice(half), values: values.splice(half), owner }
    this.#blocks.splice(index + 1, 0, upper)
  }
}

/** The index of the first element that is not below `key`. */
export function lowerBound(sorted: readonly string[], key: string): number {
  let low = 0
  let high = sorted.length
  while (low < high) {
    const mid = (low + high) >>> 1
    if (sorted[mid]! < key) low = mid + 1
    else high = mid
  }
  return low
}
