import {
  type CommitResult,
  type EntryKey,
  entryKey,
  type Materialised,
  sameEntry,
  type ViewEntry,
} from '@tidemark/engine'
import type { ChunkId, NodeEntry, NodeId } from '@tidemark/protocol'
import { changeRows } from '../change-rows.js'
import type { SyncedRow } from '../rows.js'
import type { Planned } from './commit-rows.js'
import { isExecutable } from './identity.js'
import type { Item } from './item.js'
import { makeRow } from './make-row.js'
import type { PushContext } from './push-context.js'
import type { ReadContent } from './read-content.js'

/** Something local at a path where the space shows an entry of the same kind. */
export interface Adoption {
  readonly planned: Planned & { readonly item: Item & { type: 'create' } }
  readonly entry: ViewEntry
  readonly materialised: Materialised
  /** The same bytes: bound as it is. Else the local bytes become a version beside the shown one. */
  readonly isEqual: boolean
  /** The row of the local bytes once the `adopt` op is committed; `undefined`: it showed nothing new. */
  rowAfter(result: CommitResult): SyncedRow | undefined
}

/** Looks up which of these creations are in the space already. */
export async function findAdoptions(
  context: PushContext,
  planned: readonly Planned[],
): Promise<readonly Adoption[]> {
  const adoptions: (Adoption & { readonly copy: ViewEntry | undefined })[] = []
  for (const candidate of planned) {
    const { item, read } = candidate
    if (item.type !== 'create' || !read || item.dir.node === undefined) continue
    const materialised = await shownAt(context, item)
    if (!materialised) continue
    const { as: entry } = materialised
    const { root } = read.content
    const isEqual = entry.version?.root === root
    const copy = isEqual ? undefined : await versionOf(context, entry.node, root)
    // A version that stands here under its own name already (or is about to): this is one more file.
    if (copy && (await context.rows.get(entryKey(copy)))) continue
    const dirKey = item.dir.key!
    adoptions.push({
      planned: { ...candidate, item },
      entry,
      materialised,
      isEqual,
      copy,
      rowAfter(result) {
        const made = result.changes.find(
          ({ after }) => after?.node === entry.node && after.version?.root === root,
        )?.after
        const shown = made ?? copy
        return shown && rowOnDisk(shown, dirKey, item.name, read)
      },
    })
  }
  const equal = new Set(adoptions.flatMap(({ isEqual, materialised }) => (isEqual ? [materialised.key] : [])))
  return adoptions.filter(({ copy }) => !copy || !equal.has(entryKey(copy)))
}

/** The entry that shows this version of a file, if one does: a copy, or the file itself. */
async function versionOf(
  { space: { received } }: PushContext,
  node: NodeId,
  root: ChunkId,
): Promise<ViewEntry | undefined> {
  const copy = await received.entry(`${node}:${root}`)
  if (copy) return copy
  const file = await received.entry(node)
  return file?.version?.root === root ? file : undefined
}

/**
 * The entry that the space shows where this stands, if it is of the same kind and not on this disk yet, with
 * its registers. These are read before the entry is (again): newer ones than it shows, taken over, would let an
 * edit cover a version that its user never saw.
 */
async function shownAt(
  context: PushContext,
  item: Item & { type: 'create' },
): Promise<(Materialised & { readonly as: ViewEntry }) | undefined> {
  let entry = await strangerAt(context, item)
  while (entry) {
    const nodes = await nodesOf(context, entry)
    const now = await strangerAt(context, item)
    if (now && sameEntry(now, entry)) return { key: entryKey(now), as: now, nodes }
    entry = now
  }
  return undefined
}

async function strangerAt(
  { space, rows }: PushContext,
  item: Item & { type: 'create' },
): Promise<ViewEntry | undefined> {
  const entry = await space.received.lookup(item.dir.node!, item.name.normalize('NFC'))
  if (!entry || entry.kind !== item.stat.kind) return undefined
  if (await rows.get(entryKey(entry))) return undefined
  return entry.kind === 'file' && (await standsOtherwise({ space, rows }, entry)) ? undefined : entry
}

/** Registers are taken over whole: another version of the file stands here, and is not what others made of it. */
async function standsOtherwise(
  { space, rows }: Pick<PushContext, 'space' | 'rows'>,
  { backing }: ViewEntry,
): Promise<boolean> {
  for (const node of backing) {
    for (const row of await rows.ofNode(node)) {
      const shown = await space.received.entry(row.key)
      if (shown?.version?.root !== row.entry.version?.root) return true
    }
  }
  return false
}

/**
 * Takes what the space shows over into the synced tree: with a row where the disk shows the same, and
 * without touching the disk where it does not.
 */
export async function adoptAll(context: PushContext, adoptions: readonly Adoption[]): Promise<void> {
  const equal = adoptions.filter(({ isEqual }) => isEqual)
  const rows = equal.map(({ entry, planned: { item, read } }) =>
    rowOnDisk(entry, item.dir.key!, item.name, read!),
  )
  const otherwise = rows.filter(({ entry }, i) => entry.executable !== equal[i]!.entry.executable)
  // Until the local bytes are a version beside it, which a crash may put off for ever.
  const absent = adoptions.filter(({ isEqual }) => !isEqual).map(({ entry }) => entryKey(entry))
  const changes = rows.map((after) => ({ before: undefined, after }))
  await changeRows(context, changes, {
    shown: adoptions.map(({ materialised }) => materialised),
    touch: [...otherwise.map(({ key }) => key), ...absent],
    sync: false,
  })
}

/** Whether it may be executed is as the space has it, where both had it before they met: the row says what is to be changed. */
function rowOnDisk(
  entry: ViewEntry,
  dir: EntryKey,
  localName: string,
  { stat, isRacy }: ReadContent,
): SyncedRow {
  const executable = entry.kind === 'file' ? isExecutable(stat) : entry.executable
  return makeRow({ ...entry, executable }, dir, localName, stat, isRacy)
}

/** Binds a directory that both sides have. @returns its entry, or `undefined` if the space has none here. */
export async function adoptDirectory(
  context: PushContext,
  item: Item & { type: 'create' },
): Promise<ViewEntry | undefined> {
  if (item.dir.node === undefined) return undefined
  const shown = await shownAt(context, item)
  if (!shown) return undefined
  const { as: entry } = shown
  const row = makeRow(entry, item.dir.key!, item.name, item.stat, false)
  await changeRows(context, [{ before: undefined, after: row }], { shown: [shown], sync: false })
  return entry
}

async function nodesOf({ space }: PushContext, entry: ViewEntry): Promise<NodeEntry[]> {
  const nodes: NodeEntry[] = []
  for (const id of entry.backing) {
    const node = await space.received.node(id)
    if (node) nodes.push(node)
  }
  return nodes
}
