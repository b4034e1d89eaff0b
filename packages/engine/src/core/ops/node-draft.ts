import {
  type Attr,
  type Content,
  type Dot,
  dotKey,
  type Hlc,
  type Loc,
  type NodeEntry,
  type NodeId,
  type NodeKind,
  type Register,
  type Sibling,
} from '@tidemark/protocol'
import { joinEntries, makeSibling } from '../register.js'

/** Where the names and stamps of writes come from. */
export interface WriteClock {
  /** The next dot of this incarnation. */
  nextDot(): Dot
  /** A stamp above every one seen so far. */
  nextHlc(): Hlc
}

/**
 * One node while a batch of ops is turned into writes: what the user saw of it, all that is known of
 * it, and the siblings written so far. A later write of the batch observes the earlier ones.
 */
export class NodeDraft {
  readonly id: NodeId
  readonly kind: NodeKind
  /** What the user saw before the batch; empty registers for a node that was not there. */
  readonly before: NodeEntry
  /** Whether the received tree knew the node before the batch. */
  readonly wasReceived: boolean
  readonly #clock: WriteClock
  #synced: NodeEntry
  #known: NodeEntry
  /** Dots written by this batch and not handed out by `takeWritten` yet. */
  #written = new Set<string>()

  constructor(options: {
    readonly id: NodeId
    readonly kind: NodeKind
    readonly synced: NodeEntry | undefined
    readonly received: NodeEntry | undefined
    readonly clock: WriteClock
  }) {
    const { id, kind, synced, received, clock } = options
    this.id = id
    this.kind = kind
    this.wasReceived = received !== undefined
    this.before = synced ?? { id, kind, loc: [], content: [], attr: [] }
    this.#synced = this.before
    this.#known = received ? joinEntries(received, this.before) : this.before
    this.#clock = clock
  }

  /** What the user saw, and the batch's own writes. */
  get synced(): NodeEntry {
    return this.#synced
  }

  /** Everything known of the node, and the batch's own writes. */
  get known(): NodeEntry {
    return this.#known
  }

  writeLoc(value: Loc, observed: Register<Loc>): void {
    const sibling = makeSibling({ register: this.#siblings('loc'), observed, ...this.#stamp(), value })
    this.#add({ loc: [sibling] }, sibling)
  }

  writeContent(value: Content, observed: Register<Content>): void {
    const sibling = makeSibling({ register: this.#siblings('content'), observed, ...this.#stamp(), value })
    this.#add({ content: [sibling] }, sibling)
  }

  writeAttr(value: Attr, observed: Register<Attr>): void {
    const sibling = makeSibling({ register: this.#siblings('attr'), observed, ...this.#stamp(), value })
    this.#add({ attr: [sibling] }, sibling)
  }

  /** The siblings written since the last call that the batch did not cover again, as a partial entry. */
  takeWritten(): NodeEntry | undefined {
    if (this.#written.size === 0) return undefined
    const written = this.#written
    const own = <V>(register: Register<V>) => register.filter(({ dot }) => written.has(dotKey(dot)))
    const { loc, content, attr } = this.#synced
    this.#written = new Set()
    return { id: this.id, kind: this.kind, loc: own(loc), content: own(content), attr: own(attr) }
  }

  /**
   * Every sibling of both trees, those too that the other tree has superseded: a context must not take in
   * what stands on the disk beside the observed value, whatever became of it elsewhere.
   */
  #siblings<K extends 'loc' | 'content' | 'attr'>(register: K): NodeEntry[K] {
    return [
      ...this.#synced[register],
      ...this.#known[register],
    ] as readonly Sibling<unknown>[] as NodeEntry[K]
  }

  #stamp(): { dot: Dot; hlc: Hlc } {
    return { dot: this.#clock.nextDot(), hlc: this.#clock.nextHlc() }
  }

  #add(part: Partial<Pick<NodeEntry, 'loc' | 'content' | 'attr'>>, { dot }: Sibling<unknown>): void {
    const addition: NodeEntry = { id: this.id, kind: this.kind, loc: [], content: [], attr: [], ...part }
    const isSame = this.#known === this.#synced
    this.#synced = joinEntries(this.#synced, addition)
    this.#known = isSame ? this.#synced : joinEntries(this.#known, addition)
    this.#written.add(dotKey(dot))
  }
}
