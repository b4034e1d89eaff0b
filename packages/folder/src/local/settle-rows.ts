import { entryKey, type Materialised, sameEntry, type ViewEntry, visibleContents } from '@tidemark/engine'
import type { ChunkId, NodeEntry, NodeId } from '@tidemark/protocol'
import type { SyncedRow } from '../rows.js'
import { type BoundRoot, type RowChange, rootOps, rowOps } from '../rows-store.js'
import { mendOrphans } from './orphans.js'
import type { PushContext } from './push-context.js'

/**
 * The database began anew and has the hub's state: the rows, which are from before, become the base of the
 * comparison again.
 *
 * - What the hub shows with the bytes (or as the directory) that the row tells of is taken over: what the user
 *   did to it since is an edit, a move or a deletion of it.
 * - What only this device had is an edit of what it was written over, where nothing else came of that; or it
 *   has lost its entry, and without a row it is found as new.
 * - The rest is as others made it: the row stays, and is brought up to date or goes to the trash where the disk
 *   still shows what it says; where it does not, the synced tree lacks it, and the next scan sends it as new.
 *
 * The folder is then imported again, so that what the space shows at a place is taken over instead of being
 * sent beside it. Done again from the start after a crash.
 *
 * @returns the bound directory as it is known now.
 */
export async function settleRows(context: PushContext, root: BoundRoot): Promise<BoundRoot> {
  const { rows, space } = context
  const own = await ownVersions(context)
  // Directories last: places of rows are told by those above them.
  for (const isDirectory of [false, true]) {
    for await (const page of rows.all()) {
      await settlePage(
        context,
        page.filter(({ entry }) => (entry.kind === 'dir') === isDirectory),
        own,
      )
    }
  }
  await mendOrphans(context)
  const again = { ...root, imported: false }
  await space.begunAnew.settled(rootOps(again))
  return again
}

async function settlePage(
  { space }: PushContext,
  page: readonly SyncedRow[],
  own: ReadonlyMap<string, ViewEntry | undefined>,
): Promise<void> {
  const shown: Materialised[] = []
  const changes: RowChange[] = []
  for (const row of page) {
    const same = await shownAs(space, row, row.entry.version?.root)
    const word = wordsOf(row.entry).find((each) => own.has(each))
    if (same) shown.push(same)
    else if (word !== undefined) {
      const { change, edited } = await settleOwn(space, row, own.get(word))
      if (edited) shown.push(edited)
      changes.push(change)
    }
  }
  if (shown.length > 0 || changes.length > 0) {
    await space.materialised(shown, rowOps(changes), { sync: false })
  }
  // Whether the place, or the rest, is another one is not known yet.
  await space.touch(page.map(({ key }) => key))
}

/** What becomes of the row of an own version: the base is what it was written over, or it is new. */
async function settleOwn(
  space: PushContext['space'],
  row: SyncedRow,
  replaced: ViewEntry | undefined,
): Promise<{ readonly change: RowChange; readonly edited?: Materialised | undefined }> {
  const isSameEntry = replaced !== undefined && entryKey(replaced) === row.key
  const edited = isSameEntry ? await shownAs(space, row, replaced.version?.root) : undefined
  if (!edited?.as) return { change: { before: row, after: undefined } }
  // Read again at the next scan, it is an edit of that.
  return { change: { before: row, after: { ...row, entry: edited.as, racy: true } }, edited }
}

async function ownVersions({ space }: PushContext): Promise<ReadonlyMap<string, ViewEntry | undefined>> {
  const own = new Map<string, ViewEntry | undefined>()
  for await (const page of space.begunAnew.orphans()) {
    for (const { entry, replaces } of page) own.set(wordOf(entry.node, entry), replaces)
  }
  return own
}

const wordOf = (node: NodeId, { version }: ViewEntry): string => `${node}:${version?.root ?? ''}`

const wordsOf = (entry: ViewEntry): string[] => entry.backing.map((node) => wordOf(node, entry))

/** The entry of the row, if it is shown with these bytes, and with these alone. */
async function shownAs(
  { received }: PushContext['space'],
  row: SyncedRow,
  root: ChunkId | undefined,
): Promise<Materialised | undefined> {
  let entry = await received.entry(row.key)
  while (entry && entry.kind === row.entry.kind && entry.version?.root === root) {
    const nodes: NodeEntry[] = []
    for (const id of entry.backing) {
      const node = await received.node(id)
      if (node) nodes.push(node)
    }
    const now = await received.entry(row.key)
    if (now && sameEntry(now, entry)) {
      return nodes.every(hasOneVersion) ? { key: row.key, as: now, nodes } : undefined
    }
    entry = now
  }
  return undefined
}

/** Registers are taken over whole: another version of the file may not be on this disk. */
const hasOneVersion = (node: NodeEntry): boolean =>
  new Set(visibleContents(node).map(({ value }) => value.root)).size <= 1
