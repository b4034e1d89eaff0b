import type { HubWrite, RefusalReason } from '@tidemark/engine'
import { type Content, dotKey, type NodeEntry } from '@tidemark/protocol'
import type { SimRandom } from './random.js'
import { SMALL_BYTES } from './shown.js'
import { SPACE } from './space.js'

const REASON: RefusalReason = { code: 'NO', message: 'not this one' }

/**
 * A hub that refuses some of what would change what it holds: some writes whenever they come, some when it feels like
 * it. What it has taken once it takes again, also after it went back: others have it by then.
 */
export class HubMoods {
  /** Of a hundred writes. */
  percent = 0
  readonly #taken = new Set<string>()
  readonly #dice = new Map<string, number>()

  constructor(
    private readonly random: SimRandom,
    /** Content keys of what was refused, and of what may be shown again because of it. */
    private readonly onRefused: (keys: {
      readonly refused: readonly string[]
      readonly back: readonly string[]
    }) => void,
  ) {}

  refuse({ space, write, held }: HubWrite): RefusalReason | undefined {
    // Those in other spaces wait for answers of their own.
    if (space !== SPACE) return undefined
    const dots = dotsOf(write)
    if (dots.some((dot) => this.#taken.has(dot)) || !this.#mayRefuse(dots[0]!)) {
      for (const dot of dots) this.#taken.add(dot)
      return undefined
    }
    const refused = keysOf(write)
    this.onRefused({ refused, back: [...refused, ...(held ? keysOf(held) : [])] })
    return REASON
  }

  /** Half of what is refused is refused whenever it comes, for as long as the mood lasts. */
  #mayRefuse(dot: string): boolean {
    const before = this.#dice.get(dot)
    const dice = before !== undefined && before < this.percent / 2 ? before : this.random.below(100)
    this.#dice.set(dot, dice)
    return dice < this.percent
  }
}

const dotsOf = ({ loc, content, attr }: NodeEntry): string[] =>
  [...loc, ...content, ...attr].map(({ dot }) => dotKey(dot))

const keysOf = ({ content }: NodeEntry): string[] => content.flatMap(({ value }) => keyOf(value) ?? [])

const keyOf = ({ root, size }: Content): string | undefined => (size > SMALL_BYTES ? `${size} bytes` : root)
