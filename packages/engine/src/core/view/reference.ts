import { type NodeEntry, type NodeId, ROOT } from '@tidemark/protocol'
import { compareSiblings } from '../register.js'
import type { ViewEntry } from '../view-entry.js'
import { hasPlace, isAlive } from '../visibility.js'
import { type Candidate, candidateOf, claimsName, resolveGroup, type Sha256 } from './names.js'

/**
 * The whole view of a set of registers, computed from nothing, rule by rule: what the incremental view
 * of the database is compared with. O(n · depth); for tests, not for use on large trees.
 *
 * Total and pure: any well-formed entries give a view, and their order does not matter.
 *
 * @param entries One entry a node.
 */
export function referenceView(entries: Iterable<NodeEntry>, sha256: Sha256): ViewEntry[] {
  const nodes = new Map<NodeId, Candidate>()
  for (const entry of entries) if (hasPlace(entry)) nodes.set(entry.id, candidateOf(entry)!)
  return nameEntries(nodes, placeNodes(nodes), sha256)
}

/** Steps 1 to 6. @returns the parent of every node that stands somewhere. */
function placeNodes(nodes: ReadonlyMap<NodeId, Candidate>): Map<NodeId, NodeId> {
  const closure = upwardClosure(nodes)
  const isParent = (id: NodeId) => id === ROOT || (closure.has(id) && nodes.get(id)!.entry.kind === 'dir')
  const parents = new Map<NodeId, NodeId>()
  for (const id of closure) {
    const { parent } = nodes.get(id)!.place.value
    if (isParent(parent)) parents.set(id, parent)
  }
  for (const id of latestOfEachCycle(parents, nodes)) parents.delete(id)
  const parentless = [...closure].filter((id) => !parents.has(id)).map((id) => nodes.get(id)!)
  for (const { entry, place } of parentless.sort(compareCandidates)) {
    const others = entry.loc.filter((sibling) => sibling !== place && !sibling.value.dead)
    const refuges = others.sort((a, b) => compareSiblings(b, a)).map((sibling) => sibling.value.parent)
    if (place.value.from !== undefined) refuges.push(place.value.from)
    const fits = (id: NodeId) => isParent(id) && !ancestry(id, parents).includes(entry.id)
    parents.set(entry.id, refuges.find(fits) ?? ROOT)
  }
  return parents
}

/** The alive nodes, and the directories above them, dead ones too. */
function upwardClosure(nodes: ReadonlyMap<NodeId, Candidate>): Set<NodeId> {
  const closure = new Set<NodeId>()
  for (const alive of nodes.values()) {
    if (!isAlive(alive.entry)) continue
    let node: Candidate | undefined = alive
    while (node && !closure.has(node.entry.id)) {
      closure.add(node.entry.id)
      const above = nodes.get(node.place.value.parent)
      node = above?.entry.kind === 'dir' ? above : undefined
    }
  }
  return closure
}

function latestOfEachCycle(
  parents: ReadonlyMap<NodeId, NodeId>,
  nodes: ReadonlyMap<NodeId, Candidate>,
): Set<NodeId> {
  const cut = new Set<NodeId>()
  for (const id of parents.keys()) {
    const cycle = ancestry(parents.get(id)!, parents)
    if (!cycle.includes(id)) continue
    const members = cycle.slice(0, cycle.indexOf(id) + 1).map((member) => nodes.get(member)!)
    cut.add(members.sort(compareCandidates).at(-1)!.entry.id)
  }
  return cut
}

/** `start` and what is above it, each once. */
function ancestry(start: NodeId, parents: ReadonlyMap<NodeId, NodeId>): NodeId[] {
  const above: NodeId[] = []
  for (let id: NodeId | undefined = start; id !== undefined && !above.includes(id); id = parents.get(id)) {
    above.push(id)
  }
  return above
}

const compareCandidates = (a: Candidate, b: Candidate): number =>
  compareSiblings(a.place, b.place) || (a.entry.id < b.entry.id ? -1 : 1)

/** From the root down, because directories with one name merge before their children are named. */
function nameEntries(
  nodes: ReadonlyMap<NodeId, Candidate>,
  parents: ReadonlyMap<NodeId, NodeId>,
  sha256: Sha256,
): ViewEntry[] {
  const out: ViewEntry[] = []
  const open: { rep: NodeId; backing: readonly NodeId[] }[] = [{ rep: ROOT, backing: [ROOT] }]
  for (const directory of open) {
    const groups = new Map<string, Candidate[]>()
    for (const [id, parent] of parents) {
      if (!directory.backing.includes(parent)) continue
      const candidate = nodes.get(id)!
      const { name } = candidate.place.value
      groups.set(name, [...(groups.get(name) ?? []), candidate])
    }
    const isClaimed = (name: string) => groups.get(name)?.some(claimsName) ?? false
    for (const group of groups.values()) {
      for (const entry of resolveGroup(directory.rep, group, isClaimed, sha256)) {
        out.push(entry)
        if (entry.kind === 'dir') open.push({ rep: entry.node, backing: entry.backing })
      }
    }
  }
  return out
}
