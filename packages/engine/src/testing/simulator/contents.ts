import type { ChunkId, Dot, NodeEntry, NodeId } from '@tidemark/protocol'
import type { ViewChange, ViewEntry } from '../../core/view-entry.js'
import { describe, Ledger, type Write } from './ledger.js'
import { mustHold } from './violation.js'

/** What a commit did to one version of a file. */
interface Event {
  /** `removed`: taken away by a user who saw the same content at another place too. */
  readonly type: 'made' | 'killed' | 'removed' | 'moved'
  readonly writes: readonly Write[]
  /** Of a kill: the moves of that content which its author had on disk. */
  readonly knownMoves: ReadonlySet<Event>
}

/** The life of every content in a run: who made it, moved it, took it away, knowing what. Roots are unique. */
export class Contents {
  readonly #events = new Map<ChunkId, Event[]>()
  readonly #refused = new Set<string>()
  readonly #refusedDots = new Set<string>()
  readonly #restored = new Map<string, Set<string>>()

  /**
   * @param changes What the commit changed in the view of its author.
   * @param synced Registers that the author had on disk, the commit's own writes included.
   * @param entries What the author sees after it.
   */
  async committed(
    changes: readonly ViewChange[],
    writes: readonly Write[],
    synced: (node: NodeId) => Promise<NodeEntry | undefined>,
    entries: readonly ViewEntry[],
  ): Promise<void> {
    const before = byRoot(changes.map((change) => change.before))
    const after = byRoot(changes.map((change) => change.after))
    const shown = byRoot(entries)
    for (const root of new Set([...before.keys(), ...after.keys()])) {
      const gone = shown.has(root) ? 'removed' : 'killed'
      const type = !after.has(root) ? gone : before.has(root) ? 'moved' : 'made'
      if (type === 'moved' && before.get(root) === after.get(root)) continue
      const moves = (this.#events.get(root) ?? []).filter((event) => event.type === 'moved')
      const knownMoves = new Set<Event>()
      if (type === 'killed') {
        for (const move of moves) if (await knows(synced, move.writes)) knownMoves.add(move)
      }
      const event: Event = { type, writes, knownMoves }
      const events = this.#events.get(root)
      if (events) events.push(event)
      else this.#events.set(root, [event])
    }
  }

  /** A hub did not take them: nobody has to show them. */
  refused(roots: readonly string[]): void {
    for (const root of roots) this.#refused.add(root)
  }

  /** A hub did not take these writes: what they took away may be shown again. */
  undone(dots: readonly Dot[]): void {
    for (const dot of dots) this.#refusedDots.add(textOf(dot))
  }

  /** It was written once more, because a hub did not take what had replaced it. */
  restored(root: ChunkId, dot: Dot): void {
    const dots = this.#restored.get(root) ?? new Set()
    this.#restored.set(root, dots.add(textOf(dot)))
  }

  /** Whether anybody took it away, or out of sight; a hub too. */
  isTakenAway(root: ChunkId): boolean {
    if (this.#refused.has(root)) return true
    return (this.#events.get(root) ?? []).some(({ type }) => type === 'killed' || type === 'removed')
  }

  #isUndone(writes: readonly Write[]): boolean {
    return writes.some(({ sibling }) => this.#refusedDots.has(textOf(sibling.dot)))
  }

  /**
   * @param shown The entries of the view that everybody ended with.
   * @throws {InvariantViolation} NL11: a content is gone that nobody took away; NR12: one came back.
   */
  check(shown: readonly ViewEntry[]): void {
    const roots = byRoot(shown)
    for (const [root, all] of this.#events) {
      const events = all.filter(({ writes }) => writes.every(({ isDoubtful }) => !isDoubtful))
      const kills = events.filter(({ type, writes }) => type === 'killed' && !this.#isUndone(writes))
      const moves = all.filter(({ type }) => type === 'moved')
      const isShown = roots.has(root)
      const isMade = events.some(({ type }) => type === 'made')
      if (isMade) {
        const anyKill = all.some(({ type }) => type === 'killed' || type === 'removed')
        mustHold(
          isShown || anyKill || this.#refused.has(root),
          'NL11',
          () => `content ${root.slice(0, 8)} is lost: ${all.map(told).join('; ')}`,
        )
      }
      // No user wrote it as it is shown: a replica that began anew did, which had it and thought that nobody else has.
      const dots = new Set(all.flatMap(({ writes }) => writes.map(({ sibling }) => textOf(sibling.dot))))
      for (const dot of this.#restored.get(root) ?? []) dots.add(dot)
      const versions = shown.flatMap(({ version }) => (version?.root === root ? version : []))
      if (!versions.some((version) => version.dots.some((dot) => dots.has(textOf(dot))))) continue
      // Where a hub did not let it leave, it stands still, whatever became of it where it went.
      if (all.some(({ type, writes }) => type !== 'killed' && type !== 'made' && this.#isUndone(writes)))
        continue
      const back = kills.some(({ knownMoves }) => moves.every((move) => knownMoves.has(move)))
      mustHold(!back, 'NR12', () => `content ${root.slice(0, 8)} came back: ${all.map(told).join('; ')}`)
    }
  }
}

const textOf = ({ rid, seq }: Dot): string => `${rid}:${seq}`

const told = ({ type, writes, knownMoves }: Event): string =>
  `${type} by ${writes.map(describe).join(' ')}${type === 'killed' ? ` knowing ${knownMoves.size} moves` : ''}`

async function knows(
  synced: (node: NodeId) => Promise<NodeEntry | undefined>,
  writes: readonly Write[],
): Promise<boolean> {
  const nodes = new Map<NodeId, NodeEntry | undefined>()
  for (const { node } of writes) nodes.set(node, await synced(node))
  return Ledger.knows((node) => nodes.get(node), writes)
}

/** Root → where it is shown. */
function byRoot(entries: readonly (ViewEntry | undefined)[]): Map<ChunkId, string> {
  const out = new Map<ChunkId, string>()
  for (const entry of entries) {
    if (entry?.version) out.set(entry.version.root, `${entry.parent}/${entry.name}/${entry.node}`)
  }
  return out
}
