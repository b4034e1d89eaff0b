import { type EntryKey, entryKey, type UserOp } from '@tidemark/engine'
import { type NodeId, ROOT } from '@tidemark/protocol'
import { changeRows } from '../change-rows.js'
import type { SyncedRow } from '../rows.js'
import type { Planned } from './commit-rows.js'
import { isExecutable } from './identity.js'
import type { Item } from './item.js'
import { makeRow } from './make-row.js'
import { opsOf } from './ops-of.js'
import type { PushContext } from './push-context.js'
import { notEmptied, type StaleOptions, withoutStale } from './stale.js'
import type { Unsent } from './unsent.js'

export interface KeepOptions extends StaleOptions {
  readonly isImport: boolean
}

type OfRow = Planned & { readonly item: Exclude<Item, { type: 'create' }> }

/**
 * Notes what would be a write. Of what the space shows so already the rows say now that it is so on disk: the
 * remote side then finds nothing to do there, or the rest of what others did.
 *
 * @returns what would be none: new stamps of what is as it was.
 */
export async function keepUnsent(
  planned: readonly Planned[],
  unsent: Unsent,
  options: KeepOptions,
): Promise<readonly Planned[]> {
  const { isImport, context, onStale } = options
  const changing = planned.filter((entry) => opsOf(entry, isImport).length > 0)
  const shown = await withSoundPlaces(await shownAlready(changing, options), context)
  const replaced = await replacedByOthers(changing, context)
  let rest: readonly Planned[] = planned
  if (shown.length + replaced.length > 0) {
    const changes = [
      ...shown.map((entry) => ({ before: entry.item.row, after: rowAfter(entry) })),
      ...replaced.map(({ item }) => ({ before: item.row, after: undefined })),
    ]
    await changeRows(context, changes, { touch: changes.map(({ before }) => before.key), sync: false })
    for (const { item } of replaced) onStale({ item, directories: [], isRowless: true })
    for (const { item } of shown) {
      if (item.type === 'move')
        onStale({ item, directories: item.stat.kind === 'dir' ? [item.path] : [], isRowless: false })
    }
    const taken = new Set<Planned>([...shown, ...replaced])
    // A row may have had the place of one of these.
    rest = await withoutStale(
      planned.filter((entry) => !taken.has(entry)),
      options,
    )
  }
  const noted = new Set(changing)
  for (const entry of rest) if (noted.has(entry)) unsent.note(entry.item)
  return rest.filter((entry) => !noted.has(entry))
}

async function shownAlready(planned: readonly Planned[], options: KeepOptions): Promise<OfRow[]> {
  const { context, isImport } = options
  const shown: OfRow[] = []
  for (const entry of planned) {
    if (isOfRow(entry) && (await areShown(opsOf(entry, isImport), context))) shown.push(entry)
  }
  const kept = new Set<Planned>(await notEmptied(shown, context))
  return shown.filter((entry) => !kept.has(entry))
}

const isOfRow = (entry: Planned): entry is OfRow => entry.item.type !== 'create'

async function areShown(ops: readonly UserOp[], { space: { received } }: PushContext): Promise<boolean> {
  for (const op of ops) {
    if (op.type === 'create') return false
    const entry = await received.entry(op.entry)
    switch (op.type) {
      case 'delete':
        if (entry) return false
        break
      case 'move':
        if (!('node' in op.parent) || entry?.parent !== op.parent.node || entry.name !== op.name) return false
        break
      case 'edit':
      case 'adopt':
        if (entry?.version?.root !== op.content.root) return false
        break
      case 'attr':
        if (entry?.executable !== op.executable) return false
        break
      default:
        op satisfies never
    }
  }
  return true
}

/**
 * Files whose entry others have deleted, and made another of the same bytes where this one stands: without its row
 * it is found as that one.
 */
async function replacedByOthers(planned: readonly Planned[], { space, rows }: PushContext): Promise<OfRow[]> {
  const replaced: OfRow[] = []
  for (const entry of planned) {
    const { item, read } = entry
    if (item.type !== 'move' && item.type !== 'verify') continue
    const version = read?.content ?? item.row.entry.version
    if (!version || (await space.received.entry(item.row.key))) continue
    const dir = item.type === 'move' ? item.dir.key : item.row.dir
    const name = item.type === 'move' ? item.name : item.row.localName
    const other = dir && (await space.received.lookup(dir as NodeId, name.normalize('NFC')))
    if (!other || other.kind !== item.row.entry.kind || other.version?.root !== version.root) continue
    if (!(await rows.get(entryKey(other)))) replaced.push(entry as OfRow)
  }
  return replaced
}

/** Without directories that would come to stand in themselves: one above is elsewhere on disk than its row says. */
async function withSoundPlaces(shown: readonly OfRow[], { rows }: PushContext): Promise<OfRow[]> {
  const placed = new Map<EntryKey, EntryKey>()
  const isIn = async (dir: EntryKey, key: EntryKey): Promise<boolean> => {
    for (let at: EntryKey | undefined = dir; at !== ROOT; at = placed.get(at) ?? (await rows.get(at))?.dir)
      if (at === undefined || at === key) return true
    return false
  }
  const sound: OfRow[] = []
  for (const entry of shown) {
    const { item } = entry
    if (item.type === 'move') {
      if (item.dir.key === undefined || (await isIn(item.dir.key, item.row.key))) continue
      placed.set(item.row.key, item.dir.key)
    }
    sound.push(entry)
  }
  return sound
}

/** What the disk shows, with as much of the space's as that is. */
function rowAfter({ item, read, isUnread }: OfRow): SyncedRow | undefined {
  if (item.type === 'delete') return undefined
  const { row, stat } = item
  const place =
    item.type === 'move' ? { dir: item.dir.key!, name: item.name } : { dir: row.dir, name: row.localName }
  const racy = read ? read.isRacy : row.racy === true
  // Old stamps with the old bytes: the next scan sees that the file must be read.
  if (isUnread) return makeRow(row.entry, place.dir, place.name, row.fingerprint, racy)
  const stamps = read?.stat ?? stat
  const { version } = row.entry
  const isEdited = version !== undefined && read !== undefined && read.content.root !== version.root
  const executable = row.entry.kind === 'file' ? isExecutable(stamps) : row.entry.executable
  const entry = {
    ...row.entry,
    executable,
    ...(isEdited ? { version: { ...version, ...read.content } } : {}),
  }
  return makeRow(entry, place.dir, place.name, stamps, racy)
}
