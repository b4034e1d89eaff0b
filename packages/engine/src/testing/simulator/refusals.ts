import { contextHas, type Dot, dotKey, type NodeEntry, sameDot } from '@tidemark/protocol'
import { siblingsOf } from '../../core/incoming.js'
import type { RefusalReason, Refuse, TakenBack } from '../../database/space-refusals.js'
import type { Contents } from './contents.js'
import type { Ledger } from './ledger.js'
import type { SeededRandom } from './random.js'
import type { Site } from './site.js'
import type { Trace } from './trace.js'

const REASON: RefusalReason = { code: 'NO', message: 'not this one' }

/** Who hears of refusals. */
interface Witnesses {
  readonly ledger: Pick<Ledger, 'committed' | 'of'>
  readonly contents: Pick<Contents, 'undone' | 'refused' | 'restored'>
  readonly trace: Pick<Trace, 'add'>
}

/**
 * A hub that refuses any subset of writes: some always, by their names, some when it feels like it. What it
 * refuses is as if it had never been, for everybody; so of these contents nobody is asked.
 */
export class HubMoods {
  readonly #random: SeededRandom
  readonly #alwaysShare: number
  readonly #sometimesShare: number

  constructor(
    random: SeededRandom,
    private readonly witnesses: Witnesses,
  ) {
    this.#random = random.fork()
    this.#alwaysShare = this.#random.pick([0, 0.1, 0.4])
    this.#sometimesShare = this.#random.pick([0, 0.1, 0.4])
  }

  readonly refuse: Refuse = async ({ write, held, path }) => {
    await path()
    const { contents, trace } = this.witnesses
    const isRefused = this.#isHated(write) || this.#random.chance(this.#sometimesShare)
    if (!isRefused) return undefined
    trace.add(`0 refuses ${textOf(write)}`)
    // Whether or not anybody hears of it.
    contents.undone(this.#undoneBy(write, held))
    return REASON
  }

  /** The site has taken back what the hub refused. */
  tookBack(site: Site, taken: readonly TakenBack[], isDoubtful: boolean): void {
    const { ledger, contents, trace } = this.witnesses
    for (const { written, refused } of taken) {
      ledger.committed(site.index, [written], isDoubtful)
      trace.add(`${site.index} takes back ${textOf(written)}`)
      contents.refused(refused.versions.map(({ root }) => root))
      for (const { dot, value } of written.content) if (value.root) contents.restored(value.root, dot)
    }
  }

  /**
   * All that the hub has not heard of the node: what was refused, what led to it (a deletion before a file was made
   * again), and what others say at the same time.
   */
  #undoneBy({ id }: NodeEntry, held: NodeEntry | undefined): Dot[] {
    const had = held ? siblingsOf(held) : []
    const dots = this.witnesses.ledger.of(id).map(({ sibling }) => sibling.dot)
    return dots.filter((dot) => !had.some((each) => sameDot(each.dot, dot) || contextHas(each.ctx, dot)))
  }

  #isHated(write: NodeEntry): boolean {
    const text = textOf(write)
    let hash = 0
    for (let i = 0; i < text.length; i++) hash = (hash * 31 + text.charCodeAt(i)) % 1_000_003
    return hash % 100 < this.#alwaysShare * 100
  }
}

const textOf = (entry: NodeEntry): string =>
  siblingsOf(entry)
    .map(({ dot }) => dotKey(dot))
    .join(' ')
