import { type Loc, type NodeEntry, type NodeId, normalizeDots, type Sibling } from '@tidemark/protocol'
import { compareSiblings, maxSibling } from '../register.js'
import type { Version, ViewEntry } from '../view-entry.js'
import { chosenLoc, type VersionGroup, versions } from '../visibility.js'
import { type Sha256, TagBook } from './tags.js'

export type { Sha256 } from './tags.js'

/** A node that stands in a directory under a name: what a name group is made of. */
export interface Candidate {
  readonly entry: NodeEntry
  /** The chosen loc sibling: its key decides who keeps the name. */
  readonly place: Sibling<Loc>
}

/** Whether this node claims its literal name: a directory, or a file with a winner, that no pin moved aside. */
export function claimsName(candidate: Candidate): boolean {
  if (candidate.place.value.alt === true) return false
  return !isContentKind(candidate.entry) || versions(candidate.entry).winner !== undefined
}

const isContentKind = ({ kind }: NodeEntry): boolean => kind === 'file' || kind === 'symlink'

/**
 * Resolves all nodes of one literal name in one (merged) directory into entries. Pure; the order of
 * `candidates` does not matter.
 *
 * Directories merge into one entry; files with equal roots are one entry; a directory beats a file, else
 * the least key keeps the name; every other shows under a suffix, and so does each losing version.
 *
 * @param parent ROOT or the representative of the directory.
 * @param isClaimed Whether some node claims this other literal name in the same directory.
 */
export function resolveGroup(
  parent: NodeId,
  candidates: readonly Candidate[],
  isClaimed: (name: string) => boolean,
  sha256: Sha256,
): ViewEntry[] {
  const only = candidates.length === 1 ? candidates[0] : undefined
  if (only && claimsName(only)) {
    const { winner, copies } = versions(only.entry)
    const rival = { members: candidates, isDirectory: false, version: winner, alt: false }
    if (copies.length === 0) return [entryOf(parent, only.place.value.name, 'main', rival)]
  }
  const ordered = [...candidates].sort((a, b) => (a.entry.id < b.entry.id ? -1 : 1))
  const rivals = mergeRivals(ordered)
  const incumbent = rivals.filter((rival) => !rival.alt).sort(compareRivals)[0]
  const out: ViewEntry[] = []
  const tags = new TagBook(isClaimed, sha256)
  for (const rival of rivals) {
    const { entry, place } = rival.members[0]!
    const { name } = place.value
    if (rival === incumbent) out.push(entryOf(parent, name, 'main', rival))
    else {
      tags.add(name, '', entry.id, undefined, (shown) => {
        out.push(entryOf(parent, shown, 'clash', rival))
      })
    }
  }
  for (const { entry, place } of ordered) {
    if (!isContentKind(entry)) continue
    for (const copy of versions(entry).copies) {
      tags.add(place.value.name, 'conflict ', entry.id, copy.root, (shown) => {
        out.push(conflictOf(parent, shown, entry, copy))
      })
    }
  }
  tags.settle()
  return out
}

/** One claimant of a name: a merged directory, or all files with one root. Members ascend by id. */
interface Rival {
  readonly members: readonly Candidate[]
  readonly isDirectory: boolean
  readonly version: VersionGroup | undefined
  /** No member may have the literal name. */
  readonly alt: boolean
}

function mergeRivals(candidates: readonly Candidate[]): Rival[] {
  const groups = new Map<string, { members: Candidate[]; version: VersionGroup | undefined }>()
  for (const candidate of candidates) {
    const { entry, place } = candidate
    const holdsBytes = isContentKind(entry)
    const winner = holdsBytes ? versions(entry).winner : undefined
    if (holdsBytes && !winner) continue
    const alt = place.value.alt === true ? 'alt' : ''
    const key = winner
      ? `${entry.kind}:${winner.root}`
      : entry.kind === 'dir'
        ? `dir${alt}`
        : `${entry.kind}:${entry.id}`
    const group = groups.get(key)
    if (group) group.members.push(candidate)
    else groups.set(key, { members: [candidate], version: winner })
  }
  return [...groups.values()].map(({ members, version }) => ({
    members,
    isDirectory: members[0]!.entry.kind === 'dir',
    version: version && mergeVersions(members),
    alt: members.every(({ place }) => place.value.alt === true),
  }))
}

function mergeVersions(members: readonly Candidate[]): VersionGroup {
  const groups = members.map(({ entry }) => versions(entry).winner!)
  const top = maxSibling(groups.map((group) => group.top))!
  return { root: groups[0]!.root, top, dots: normalizeDots(groups.flatMap((group) => group.dots)) }
}

function compareRivals(a: Rival, b: Rival): number {
  if (a.isDirectory !== b.isDirectory) return a.isDirectory ? -1 : 1
  return compareCandidates(incumbentOf(a), incumbentOf(b))
}

/** The member for which a rival holds the literal name: one that a pin moved aside never speaks for it. */
const incumbentOf = (rival: Rival): Candidate =>
  rival.members
    .filter(({ place }) => place.value.alt !== true)
    .reduce((least, member) => (compareCandidates(member, least) < 0 ? member : least))

const compareCandidates = (a: Candidate, b: Candidate): number =>
  compareSiblings(a.place, b.place) || (a.entry.id < b.entry.id ? -1 : 1)

function entryOf(parent: NodeId, name: string, role: 'main' | 'clash', rival: Rival): ViewEntry {
  const { entry } = rival.members[0]!
  return {
    parent,
    name,
    kind: entry.kind,
    node: entry.id,
    backing: rival.members.map((member) => member.entry.id),
    role,
    executable: rival.members.some((member) => isExecutable(member.entry)),
    ...(rival.version ? { version: versionOf(rival.version) } : {}),
  }
}

const conflictOf = (parent: NodeId, name: string, entry: NodeEntry, copy: VersionGroup): ViewEntry => ({
  parent,
  name,
  kind: entry.kind,
  node: entry.id,
  backing: [entry.id],
  role: 'conflict',
  executable: isExecutable(entry),
  version: versionOf(copy),
})

function versionOf({ root, top, dots }: VersionGroup): Version {
  const { height, size, mtimeMs, target } = top.value
  return { root, height, size, mtimeMs, dots, ...(target === undefined ? {} : { target }) }
}

export const isExecutable = (entry: NodeEntry): boolean => maxSibling(entry.attr)?.value.executable === true

/** The candidate that a node is, if it stands anywhere. */
export function candidateOf(entry: NodeEntry): Candidate | undefined {
  const place = chosenLoc(entry)
  return place && { entry, place }
}
