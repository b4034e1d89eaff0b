import { dotKey, type NodeEntry } from '@tidemark/protocol'
import { siblingsOf } from '../../core/incoming.js'
import type { RefusalReason, Refuse, TakenBack } from '../../database/space-refusals.js'
import type { SeededRandom } from './random.js'
import type { Site } from './site.js'
import { stateOf, type World } from './world.js'

const REASON: RefusalReason = { code: 'NO', message: 'not this one' }

/**
 * A hub that refuses any subset of writes: some always, by their names, some when it feels like it. What it
 * refuses is as if it had never been, for everybody; so of these contents nobody is asked.
 */
export class HubMoods {
  readonly #random: SeededRandom
  readonly #alwaysShare: number
  readonly #sometimesShare: number

  constructor(private readonly world: World) {
    this.#random = world.random.fork()
    this.#alwaysShare = this.#random.pick([0, 0.1, 0.4])
    this.#sometimesShare = this.#random.pick([0, 0.1, 0.4])
  }

  readonly refuse: Refuse = async ({ write, path }) => {
    await path()
    const { trace } = this.world
    const isRefused = this.#isHated(write) || this.#random.chance(this.#sometimesShare)
    if (!isRefused) return undefined
    trace.add(
      `0 refuses ${siblingsOf(write)
        .map(({ dot }) => dotKey(dot))
        .join(' ')}`,
    )
    return REASON
  }

  /** The site has taken back what the hub refused. */
  tookBack(site: Site, taken: readonly TakenBack[], isDoubtful: boolean): void {
    const { ledger, contents, trace } = this.world
    const state = stateOf(site)
    for (const { written, refused } of taken) {
      ledger.committed(site.index, [written], isDoubtful)
      trace.add(
        `${site.index} takes back ${siblingsOf(written)
          .map(({ dot }) => dotKey(dot))
          .join(' ')}`,
      )
      contents.refused(refused.versions.map(({ root }) => root))
      // What the refused write had taken away is there again.
      for (const { value } of [...written.content, ...(state.get(written.id)?.content ?? [])])
        if (value.root !== undefined) contents.revived(value.root)
    }
  }

  #isHated(write: NodeEntry): boolean {
    const text = siblingsOf(write)
      .map(({ dot }) => dotKey(dot))
      .join(' ')
    let hash = 0
    for (let i = 0; i < text.length; i++) hash = (hash * 31 + text.charCodeAt(i)) % 1_000_003
    return hash % 100 < this.#alwaysShare * 100
  }
}
