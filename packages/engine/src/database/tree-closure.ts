import { type Loc, type NodeEntry, type NodeId, ROOT, type Sibling } from '@tidemark/protocol'
import { chosenLoc, hasPlace, isAlive } from '../core/visibility.js'
import type { DirRow } from './tree-rows.js'
import type { TreeWorkspace } from './tree-workspace.js'

export interface NodeChange {
  readonly before: NodeEntry | undefined
  readonly after: NodeEntry
}

/**
 * Steps 1 to 3 of placement: the alive nodes and the directories above them, kept as counts of children.
 * Touches the changed nodes and the ancestors whose membership flips.
 */
export class Closure {
  readonly #workspace: TreeWorkspace
  readonly #beforeFlip: (id: NodeId, row: DirRow) => Promise<void>
  /** Dead directories that stay only because something below them counts: perhaps a cycle of themselves. */
  readonly #suspects = new Set<NodeId>()

  /** @param beforeFlip Called while everything still says where things stood. */
  constructor(workspace: TreeWorkspace, beforeFlip: (id: NodeId, row: DirRow) => Promise<void>) {
    this.#workspace = workspace
    this.#beforeFlip = beforeFlip
  }

  async update(changes: Iterable<NodeChange>): Promise<void> {
    for (const change of changes) {
      if (change.after.kind === 'dir') await this.#applyDirectory(change.after)
      else await this.#reattach(parentOf(change.before), parentOf(change.after))
    }
    for (const id of this.#suspects) await this.#dissolveDeadCycle(id)
  }

  async #applyDirectory(after: NodeEntry): Promise<void> {
    const { dirs } = this.#workspace
    const row = dirs.now(after.id)
    const alive = isAlive(after)
    const inU = hasPlace(after) && (alive || row.up > 0)
    if (inU !== row.inU) await this.#beforeFlip(after.id, row)
    const from = row.at
    const to = inU ? chosenLoc(after)?.value.parent : undefined
    row.inU = inU
    row.at = to
    dirs.set(after.id, row)
    if (inU && !alive) this.#suspects.add(after.id)
    await this.#reattach(from, to)
  }

  /** First there, then here: an ancestor of both never leaves in between. */
  async #reattach(from: NodeId | undefined, to: NodeId | undefined): Promise<void> {
    if (from === to) return
    if (to !== undefined && to !== ROOT) await this.#attach(to)
    if (from !== undefined && from !== ROOT) await this.#detach(from)
  }

  /** One more child of `start` is in the closure: it and its ancestors come in. */
  async #attach(start: NodeId): Promise<void> {
    const { dirs } = this.#workspace
    let parent: NodeId | undefined = start
    while (parent !== undefined && parent !== ROOT) {
      const row: DirRow = await dirs.get(parent)
      const place: Sibling<Loc> | undefined = row.inU ? undefined : await this.#directoryPlace(parent)
      if (place) await this.#beforeFlip(parent, row)
      row.up += 1
      dirs.set(parent, row)
      if (!place) return
      row.inU = true
      row.at = place.value.parent
      parent = row.at
    }
  }

  async #directoryPlace(id: NodeId): Promise<Sibling<Loc> | undefined> {
    const entry = await this.#workspace.nodes.get(id)
    return entry?.kind === 'dir' ? chosenLoc(entry) : undefined
  }

  /** One child less: dead ancestors without another one leave. */
  async #detach(start: NodeId): Promise<void> {
    const { dirs } = this.#workspace
    let parent: NodeId | undefined = start
    while (parent !== undefined && parent !== ROOT) {
      const row: DirRow = await dirs.get(parent)
      const isDeadInU: boolean = row.inU && !(await this.#isAliveDirectory(parent))
      const leaves = isDeadInU && row.up === 1
      if (leaves) await this.#beforeFlip(parent, row)
      row.up -= 1
      dirs.set(parent, row)
      if (!leaves) {
        if (isDeadInU) this.#suspects.add(parent)
        return
      }
      parent = row.at
      row.inU = false
      row.at = undefined
    }
  }

  async #isAliveDirectory(id: NodeId): Promise<boolean> {
    const entry = await this.#workspace.nodes.get(id)
    return entry !== undefined && isAlive(entry)
  }

  /** A cycle of dead directories that count only each other is not in the closure. */
  async #dissolveDeadCycle(start: NodeId): Promise<void> {
    const { dirs } = this.#workspace
    const members: { id: NodeId; row: DirRow }[] = []
    let id: NodeId = start
    do {
      const row = await dirs.get(id)
      const isUnsupported = row.inU && row.up === 1 && !(await this.#isAliveDirectory(id))
      if (!isUnsupported || row.at === undefined) return
      members.push({ id, row })
      id = row.at
    } while (id !== start)
    for (const member of members) await this.#beforeFlip(member.id, member.row)
    for (const member of members) {
      member.row.up = 0
      member.row.inU = false
      member.row.at = undefined
      dirs.set(member.id, member.row)
    }
  }
}

/** Where a file counts as a child in the closure. */
const parentOf = (leaf: NodeEntry | undefined): NodeId | undefined =>
  leaf && isAlive(leaf) ? chosenLoc(leaf)?.value.parent : undefined
