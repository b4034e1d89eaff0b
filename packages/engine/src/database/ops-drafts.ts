import type { NodeEntry, NodeId, NodeKind } from '@tidemark/protocol'
import { NodeDraft, type WriteClock } from '../core/ops/node-draft.js'
import type { TreeReader } from './tree-reader.js'

/** The nodes that one batch of ops reads and writes; memory follows the batch, not the tree. */
export class Drafts {
  readonly #synced: TreeReader
  readonly #received: TreeReader
  readonly #clock: WriteClock
  readonly #drafts = new Map<NodeId, NodeDraft>()

  constructor(options: { synced: TreeReader; received: TreeReader; clock: WriteClock }) {
    this.#synced = options.synced
    this.#received = options.received
    this.#clock = options.clock
  }

  /** A node that one of the trees holds, or `undefined`. */
  async find(id: NodeId): Promise<NodeDraft | undefined> {
    const existing = this.#drafts.get(id)
    if (existing) return existing
    const { synced, received } = await this.#read(id)
    const kind = (synced ?? received)?.kind
    return kind && this.#keep(id, kind, synced, received)
  }

  /** A node that the ops are sure of. @throws {TypeError} no tree holds it: the view and its registers differ. */
  async get(id: NodeId): Promise<NodeDraft> {
    const draft = await this.find(id)
    if (!draft) throw new TypeError(`node ${id} is shown but has no registers`)
    return draft
  }

  /** A node to create or to bring back. */
  async make(id: NodeId, kind: NodeKind): Promise<NodeDraft> {
    return (await this.find(id)) ?? this.#keep(id, kind, undefined, undefined)
  }

  /** What was written since the last call, as partial entries to join. */
  takeWritten(): NodeEntry[] {
    return [...this.#drafts.values()].flatMap((draft) => draft.takeWritten() ?? [])
  }

  async #read(id: NodeId): Promise<{ synced: NodeEntry | undefined; received: NodeEntry | undefined }> {
    const synced = await this.#synced.node(id)
    const received = this.#received === this.#synced ? synced : await this.#received.node(id)
    return { synced, received }
  }

  #keep(
    id: NodeId,
    kind: NodeKind,
    synced: NodeEntry | undefined,
    received: NodeEntry | undefined,
  ): NodeDraft {
    const draft = new NodeDraft({ id, kind, synced, received, clock: this.#clock })
    this.#drafts.set(id, draft)
    return draft
  }
}
