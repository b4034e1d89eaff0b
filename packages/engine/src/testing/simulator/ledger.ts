import {
  type Attr,
  type Content,
  contextHas,
  type Dot,
  type DotKey,
  dotKey,
  type Loc,
  type NodeEntry,
  type NodeId,
  type Register,
  type ReplicaId,
  type Sibling,
  sameDot,
  vectorHas,
} from '@tidemark/protocol'
import { joinRegisters } from '../../core/register.js'
import { mustHold } from './violation.js'

const PARTS = ['loc', 'content', 'attr'] as const
type Part = (typeof PARTS)[number]

/** One register write that a user made. */
export interface Write {
  readonly node: NodeId
  readonly part: Part
  readonly sibling: Sibling<unknown>
  /** The site where it was made. */
  readonly author: number
  /** A rollback took it away before anybody else had it: it may come back, or not. */
  isDoubtful: boolean
}

/** What one replica holds, by node. */
export type State = ReadonlyMap<NodeId, NodeEntry>

/** Every write of a run, and what it named: the reference that the replicas are held against. */
export class Ledger {
  readonly #writes: Write[] = []
  readonly #byNode = new Map<NodeId, Write[]>()
  readonly #values = new Map<DotKey, string>()
  readonly #tops = new Map<ReplicaId, number>()
  /** Siblings, which never change, and the register in which they were seen. */
  readonly #seen = new WeakMap<Sibling<unknown>, string>()
  /** Writes of nodes that somebody has collected. */
  readonly #collected = new Set<DotKey>()

  get writes(): readonly Write[] {
    return this.#writes
  }

  /** All writes of a node so far. */
  of(node: NodeId): readonly Write[] {
    return this.#byNode.get(node) ?? []
  }

  /** The highest own write of this incarnation that its site saw done. */
  topOf(rid: ReplicaId): number {
    return this.#tops.get(rid) ?? 0
  }

  isKnown(dot: Dot): boolean {
    return this.#values.has(dotKey(dot))
  }

  /**
   * Registers after a user's commit.
   *
   * @returns the writes among them that are new.
   */
  committed(author: number, nodes: readonly NodeEntry[], isDoubtful: boolean): Write[] {
    const fresh: Write[] = []
    for (const entry of nodes) {
      for (const part of PARTS) {
        for (const sibling of entry[part] as Register<unknown>) {
          if (this.isKnown(sibling.dot)) continue
          fresh.push({ node: entry.id, part, sibling, author, isDoubtful })
        }
      }
      this.seen(entry)
    }
    for (const write of fresh) {
      this.#writes.push(write)
      const { rid, seq } = write.sibling.dot
      this.#tops.set(rid, Math.max(seq, this.topOf(rid)))
      const ofNode = this.#byNode.get(write.node)
      if (ofNode) ofNode.push(write)
      else this.#byNode.set(write.node, [write])
    }
    return fresh
  }

  /** Registers that somebody holds or says. @throws {InvariantViolation} IN19: one dot names two writes. */
  seen(entry: NodeEntry): void {
    for (const part of PARTS) {
      const register = `${entry.id}/${part}`
      for (const sibling of entry[part] as Register<unknown>) {
        if (this.#seen.get(sibling) === register) continue
        const key = dotKey(sibling.dot)
        const value = `${register}/${fingerprint(sibling as Sibling<Loc | Content | Attr>)}`
        const known = this.#values.get(key)
        if (known === undefined) this.#values.set(key, value)
        else mustHold(known === value, 'IN19', () => `dot ${key} names two writes: ${known} and ${value}`)
        this.#seen.set(sibling, register)
      }
    }
  }

  /** @throws {InvariantViolation} EX6: a write below the frontier is neither held nor covered. */
  checkTruth(who: string, state: State, frontier: ReadonlyMap<ReplicaId, number>): void {
    for (const write of this.#writes) {
      if (!vectorHas(frontier, write.sibling.dot) || this.#isCollected(write)) continue
      mustHold(
        isIn(state, write),
        'EX6',
        () => `${who} claims ${describe(write)} and holds ${told(state, write)}`,
      )
    }
  }

  /**
   * @throws {InvariantViolation} J5: a write that is in no doubt has no place in the state, or the state
   *   is not the join of itself and all of them.
   */
  checkComplete(who: string, state: State): void {
    for (const write of this.#writes) {
      if (write.isDoubtful || this.#isCollected(write)) continue
      mustHold(isIn(state, write), 'J5', () => `${who} ends without ${describe(write)}`)
      const register = state.get(write.node)![write.part] as Register<Loc | Content | Attr>
      const joined = joinRegisters(register, [write.sibling as Sibling<Loc | Content | Attr>])
      mustHold(joined === register, 'J5', () => `${describe(write)} adds to ${who}`)
    }
    for (const entry of state.values()) this.seen(entry)
  }

  /** A site has collected something of a node, or all of it: nobody has to hold this any more. */
  collected(before: NodeEntry): void {
    for (const write of this.#byNode.get(before.id) ?? []) {
      if (holds(before, write)) this.#collected.add(dotKey(write.sibling.dot))
    }
  }

  /** The hub was put back to a backup: what was collected since may be alive in it, and comes back. */
  doubtCollected(): void {
    for (const write of this.#writes) if (this.#isCollected(write)) write.isDoubtful = true
  }

  #isCollected({ sibling }: Write): boolean {
    return this.#collected.has(dotKey(sibling.dot))
  }

  /**
   * After something took state away: writes that nobody has any more are in doubt from now on.
   *
   * @returns those that became so.
   */
  doubt(states: readonly State[]): Write[] {
    const lost = this.#writes.filter(
      (write) =>
        !write.isDoubtful && !this.#isCollected(write) && !states.some((state) => isIn(state, write)),
    )
    for (const write of lost) write.isDoubtful = true
    return lost
  }

  /** Whether this state holds or covers all of these. */
  static knows(state: (node: NodeId) => NodeEntry | undefined, writes: readonly Write[]): boolean {
    return writes.every((write) => holds(state(write.node), write))
  }
}

const isIn = (state: State, write: Write): boolean => holds(state.get(write.node), write)

function holds(entry: NodeEntry | undefined, { part, sibling }: Write): boolean {
  if (!entry) return false
  const register = entry[part] as Register<unknown>
  return register.some((other) => sameDot(other.dot, sibling.dot) || contextHas(other.ctx, sibling.dot))
}

function told(state: State, { node, part }: Write): string {
  const register = (state.get(node)?.[part] ?? []) as Register<unknown>
  return register
    .map(({ dot, ctx }) => {
      const vector = [...ctx.vector].map(([rid, seq]) => `${rid}:${seq}`)
      const except = ctx.except.map((other) => `-${dotKey(other)}`)
      return `${dotKey(dot)} {${[...vector, ...except].join(' ')}}`
    })
    .join(', ')
}

export const describe = ({ node, part, sibling, author }: Write): string =>
  `${dotKey(sibling.dot)} (${part} of ${node.slice(0, 6)} by ${author})`

/** Enough of a write to tell two apart, and cheap. */
function fingerprint({ ctx, hlc, value }: Sibling<Loc | Content | Attr>): string {
  let text = `${hlc.ms}.${hlc.counter} `
  for (const rid of [...ctx.vector.keys()].sort()) text += ` ${rid}:${ctx.vector.get(rid)}`
  for (const dot of ctx.except) text += ` -${dotKey(dot)}`
  if ('parent' in value) return `${text} ${value.parent} ${value.name} ${value.dead} ${value.from}`
  return 'root' in value ? `${text} ${value.root}` : text
}
