import { type NodeId, ROOT } from '@tidemark/protocol'
import { entryKey, type ViewEntry } from '../../core/view-entry.js'
import { SeededRandom } from './random.js'
import type { Site } from './site.js'
import { entriesIn, type World } from './world.js'

/** How often, in steps. */
const SHARE = 0.15
/** Apart from the seed of everything else. */
const OWN_SEED = 0x5eed

/**
 * Two people who both see two directories: each moves another one into the other, before either hears of it. What
 * each did is fine, and together it is a cycle.
 */
export class CrossMoves {
  readonly #random: SeededRandom

  constructor(
    private readonly world: World,
    seed: number,
  ) {
    this.#random = new SeededRandom(seed ^ OWN_SEED)
  }

  /** Between two steps. Not awaited: it overlaps with what comes next, as other acts do. */
  maybeHappen(): void {
    const random = this.#random
    if (!random.chance(SHARE)) return
    const sites = this.world.sites.filter(({ hasUser, isOpen }) => hasUser && isOpen)
    if (sites.length < 2) return
    const one = random.pick(sites)
    const other = random.pick(sites.filter((site) => site !== one))
    const theirs = new Set(directoriesOf(other).map(({ node }) => node))
    const common = directoriesOf(one).filter(({ node }) => theirs.has(node))
    if (common.length < 2) return
    // What did not stand at the root has somewhere else to go back to.
    const deeper = common.filter(({ parent }) => parent !== ROOT)
    const first = random.pick(deeper.length > 0 ? deeper : common).node
    const second = random.pick(common.filter(({ node }) => node !== first)).node
    this.world.trace.add(`${one.index} and ${other.index} move one directory into the other`)
    this.#move(one, first, second)
    this.#move(other, second, first)
  }

  /** Refused where the one already stands below the other. */
  #move(site: Site, node: NodeId, into: NodeId): void {
    void this.world.commit(site, (entries) => {
      const entry = entries.find((each) => each.node === node && each.role === 'main')
      if (!entry) return { ops: [] }
      return {
        ops: [{ type: 'move', entry: entryKey(entry), parent: { node: into }, name: entry.name }],
      }
    })
  }
}

const isDirectory = ({ kind, role }: ViewEntry): boolean => kind === 'dir' && role === 'main'

const directoriesOf = (site: Site): ViewEntry[] => entriesIn(site, 'synced').filter(isDirectory)
