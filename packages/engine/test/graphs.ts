import { createHash } from 'node:crypto'
import {
  type ChunkId,
  type Content,
  type Dot,
  EMPTY_CONTEXT,
  type Loc,
  type NodeEntry,
  type NodeId,
  type NodeKind,
  type Register,
  type ReplicaId,
  ROOT,
  type Sibling,
} from '@tidemark/protocol'
import fc from 'fast-check'
import { dotsOf, joinEntries, makeSibling, seenOf } from '../src/core/register.js'
import { referenceView } from '../src/core/view/reference.js'
import { entryKey, type ViewEntry } from '../src/core/view-entry.js'
import { chosenLoc } from '../src/core/visibility.js'

export const sha256 = (bytes: Uint8Array): Uint8Array => createHash('sha256').update(bytes).digest()

/** A few nodes of each kind; ids do not ascend with the index. */
const KINDS: readonly NodeKind[] = [
  'dir',
  'dir',
  'dir',
  'dir',
  'dir',
  'file',
  'file',
  'file',
  'symlink',
  'mount',
]
export const NODE_IDS = KINDS.map((_, i) => `${(i * 7) % 10}`.repeat(31).concat('1') as NodeId)
const UNKNOWN = 'f'.repeat(32) as NodeId
/** Directories, the root twice (so that it is frequent), a node that never comes, a file. */
const PARENTS: readonly NodeId[] = [...NODE_IDS.slice(0, 5), ROOT, ROOT, ROOT, UNKNOWN, NODE_IDS[5]!]
const LONG_NAME = `${'n'.repeat(248)}.txt`
const NAMES: readonly string[] = ['a.txt', 'b', LONG_NAME]
const ROOTS = ['1', '2', '3'].map((digit) => digit.repeat(64) as ChunkId)
const RIDS = ['a', 'b', 'c'].map((digit) => digit.repeat(16) as ReplicaId)

/** One register write of somebody who saw some of the siblings. */
export interface Step {
  readonly node: number
  readonly act: 'create' | 'move' | 'pin' | 'delete' | 'content' | 'void' | 'attr'
  readonly parent: number
  /** Index into the names; above them: one that the view of all writes so far shows. */
  readonly name: number
  /** Which siblings of the register the writer saw, a bit each. */
  readonly observed: number
  readonly ms: number
  readonly rid: number
  readonly root: number
  readonly flag: boolean
}

export const arbitraryStep: fc.Arbitrary<Step> = fc.record({
  node: fc.nat(KINDS.length - 1),
  act: fc.oneof(
    { weight: 4, arbitrary: fc.constant('create' as const) },
    { weight: 4, arbitrary: fc.constant('move' as const) },
    { weight: 3, arbitrary: fc.constant('content' as const) },
    { weight: 2, arbitrary: fc.constant('delete' as const) },
    { weight: 1, arbitrary: fc.constantFrom('pin' as const, 'void' as const, 'attr' as const) },
  ),
  parent: fc.nat(PARENTS.length - 1),
  name: fc.oneof({ weight: 5, arbitrary: fc.nat(1) }, { weight: 2, arbitrary: fc.nat(7) }),
  observed: fc.nat(15),
  ms: fc.nat(2),
  rid: fc.nat(RIDS.length - 1),
  root: fc.nat(ROOTS.length - 1),
  flag: fc.boolean(),
})

export const emptyEntry = (node: number): NodeEntry => ({
  id: NODE_IDS[node]!,
  kind: KINDS[node]!,
  loc: [],
  content: [],
  attr: [],
})

/**
 * Plays steps as writers who saw an arbitrary part of what there is.
 *
 * @returns Per write the written sibling alone, as an entry. Their join is the same in any order.
 */
export function playSteps(steps: readonly Step[]): NodeEntry[] {
  const known = new Map<NodeId, NodeEntry>()
  /** Every sibling that ever was, so that contexts stay exact. */
  const ever = new Map<NodeId, NodeEntry>()
  const written: NodeEntry[] = []
  for (const [i, step] of steps.entries()) {
    const empty = emptyEntry(step.node)
    const entry = known.get(empty.id) ?? empty
    const all = ever.get(empty.id) ?? empty
    const dot: Dot = { rid: RIDS[step.rid]!, seq: i + 1 }
    const delta = write(step, entry, all, dot, known)
    written.push(delta)
    known.set(entry.id, joinEntries(entry, delta))
    ever.set(entry.id, {
      ...all,
      loc: [...all.loc, ...delta.loc],
      content: [...all.content, ...delta.content],
      attr: [...all.attr, ...delta.attr],
    })
  }
  return written
}

function write(
  step: Step,
  entry: NodeEntry,
  all: NodeEntry,
  dot: Dot,
  known: ReadonlyMap<NodeId, NodeEntry>,
): NodeEntry {
  const empty = emptyEntry(step.node)
  const hlc = { ms: step.ms, counter: 0 }
  const sibling = <V>(register: Register<V>, ever: Register<V>, value: V): Sibling<V> =>
    makeSibling({ register: ever, observed: seen(register, step.observed), dot, hlc, value })
  const holdsContent = entry.kind === 'file' || entry.kind === 'symlink'
  if (step.act === 'attr') {
    return { ...empty, attr: [sibling(entry.attr, all.attr, { executable: step.flag })] }
  }
  if (holdsContent && (step.act === 'content' || step.act === 'void')) {
    return { ...empty, content: [sibling(entry.content, all.content, contentOf(step, entry))] }
  }
  const loc = sibling(entry.loc, all.loc, locOf(step, entry, all, known))
  return { ...empty, loc: [loc] }
}

function seen<V>(register: Register<V>, mask: number): Register<V> {
  return register.filter((_, i) => (mask >> (i % 4)) & 1)
}

function contentOf(step: Step, entry: NodeEntry): Content {
  if (step.act === 'void') {
    const copies = step.flag ? dotsOf(entry.content) : []
    return { height: 0, size: 0, mtimeMs: 0, ...(copies.length > 0 ? { copies } : {}) }
  }
  return {
    root: ROOTS[step.root]!,
    height: 0,
    size: step.root,
    mtimeMs: step.ms,
    ...(entry.kind === 'symlink' ? { target: `to ${step.root}` } : {}),
    ...(step.flag && step.observed === 0 ? { adopted: true } : {}),
  }
}

function locOf(step: Step, entry: NodeEntry, all: NodeEntry, known: ReadonlyMap<NodeId, NodeEntry>): Loc {
  const last = chosenLoc(entry)?.value
  const name = nameOf(step, known)
  const inherited = entry.loc.find((sibling) => sibling.value.seen)?.value.seen
  const parent = PARENTS[step.parent]!
  if (step.act === 'delete') {
    const saw = seenOf(seen(entry.content, step.observed), all.content)
    return { parent: last?.parent ?? parent, name: last?.name ?? name, dead: true, seen: saw }
  }
  const rest = inherited ? { seen: inherited } : {}
  const held = step.flag ? { held: dotsOf(entry.content) } : {}
  if (step.act === 'pin' && last) {
    const pin = dotsOf(seen(entry.loc, step.observed))
    const alt = step.flag ? { alt: true } : {}
    return { parent, name: last.name, dead: false, ...rest, ...held, pin, ...alt }
  }
  if (step.act === 'move' && last) return { parent, name, dead: false, from: last.parent, ...rest, ...held }
  return { parent, name, dead: false, ...rest }
}

function nameOf(step: Step, known: ReadonlyMap<NodeId, NodeEntry>): string {
  const name = NAMES[step.name]
  if (name !== undefined) return name
  const shown = referenceView(known.values(), sha256).map((entry) => entry.name)
  // Suffixed ones first: to claim them is what disturbs other groups.
  shown.sort((a, b) => b.length - a.length || (a < b ? -1 : 1))
  return shown[step.name - NAMES.length] ?? NAMES[0]!
}

/** Arbitrary, not only reachable: any siblings, most of them concurrent. */
export const arbitrarySteps = (maxLength: number): fc.Arbitrary<Step[]> =>
  fc.array(arbitraryStep, { minLength: 1, maxLength, size: 'max' })

export function joinAll(entries: Iterable<NodeEntry>): Map<NodeId, NodeEntry> {
  const joined = new Map<NodeId, NodeEntry>()
  for (const entry of entries) {
    const known = joined.get(entry.id)
    joined.set(entry.id, known ? joinEntries(known, entry) : entry)
  }
  return joined
}

/** A view as a map, to compare whatever the order. */
export const byKey = (view: Iterable<ViewEntry>): Map<string, ViewEntry> =>
  new Map(
    [...view].sort((a, b) => (entryKey(a) < entryKey(b) ? -1 : 1)).map((entry) => [entryKey(entry), entry]),
  )

export const noContext = EMPTY_CONTEXT
