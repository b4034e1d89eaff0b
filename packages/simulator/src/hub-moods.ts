import type { HubWrite, RefusalReason } from '@tidemark/engine'
import { type Content, dotKey, type NodeEntry } from '@tidemark/protocol'
import type { SimRandom } from './random.js'
import { SMALL_BYTES } from './shown.js'

const REASON: RefusalReason = { code: 'NO', message: 'not this one' }

/**
 * A hub that refuses some of what would change what it holds: some writes whenever they come, some when it feels like
 * it. What it has taken once it takes again, also after it went back: others have it by then.
 */
export class HubMoods {
  /** Of a hundred writes. */
  percent = 0
  readonly #taken = new Set<string>()
  readonly #hated = new Map<string, boolean>()

  constructor(
    private readonly random: SimRandom,
    /** Content keys of what was refused, and of what may be shown again because of it. */
    private readonly onRefused: (keys: {
      readonly refused: readonly string[]
      readonly back: readonly string[]
    }) => void,
  ) {}

  refuse({ write, held }: HubWrite): RefusalReason | undefined {
    const dots = dotsOf(write)
    const isTaken = dots.some((dot) => this.#taken.has(dot))
    if (isTaken || !(this.#isHated(dots[0]!) || this.#isMoody())) {
      for (const dot of dots) this.#taken.add(dot)
      return undefined
    }
    const refused = keysOf(write)
    this.onRefused({ refused, back: [...refused, ...(held ? keysOf(held) : [])] })
    return REASON
  }

  /** Half of what is refused is so for as long as that lasts. */
  #isHated(dot: string): boolean {
    if (this.percent === 0) return false
    let isHated = this.#hated.get(dot)
    if (isHated === undefined) {
      isHated = this.random.below(200) < this.percent
      this.#hated.set(dot, isHated)
    }
    return isHated
  }

  #isMoody(): boolean {
    return this.percent > 0 && this.random.below(200) < this.percent
  }
}

const dotsOf = ({ loc, content, attr }: NodeEntry): string[] =>
  [...loc, ...content, ...attr].map(({ dot }) => dotKey(dot))

const keysOf = ({ content }: NodeEntry): string[] => content.flatMap(({ value }) => keyOf(value) ?? [])

const keyOf = ({ root, size }: Content): string | undefined => (size > SMALL_BYTES ? `${size} bytes` : root)
