import { type EntryKey, entryKey, type UserOp } from '@tidemark/engine'
import { INLINE_BYTES_MAX, PathError, SyncError } from '@tidemark/protocol'
import { changeRows } from '../change-rows.js'
import type { SyncedRow } from '../rows.js'
import type { RowChange } from '../rows-store.js'
import { type Adoption, adoptAll, findAdoptions } from './adopt.js'
import { type Planned, planRows } from './commit-rows.js'
import { makeItemsDurable } from './durable-items.js'
import { withFreeNames } from './free-names.js'
import { dropRows, overOtherVersions } from './held-versions.js'
import type { Item } from './item.js'
import { keepUnsent } from './keep-unsent.js'
import { LARGE_BYTES, type LargeFiles } from './large-files.js'
import { opsOf } from './ops-of.js'
import { mendOrphans } from './orphans.js'
import { assertPlacesAbove } from './places-above.js'
import type { PushContext } from './push-context.js'
import { type ReadContent, readContent } from './read-content.js'
import { refuse } from './refuse.js'
import type { Retries } from './retries.js'
import { type Stale, tellStale, withDirectories, withoutDependents, withoutStale } from './stale.js'
import { SecondLook } from './still-there.js'
import { storeEach } from './store-each.js'
import type { Unsent } from './unsent.js'

/** Small files that are opened and chunked at once. */
const PARALLEL_READS = 8

export interface PushOptions {
  readonly context: PushContext
  readonly large: LargeFiles
  readonly retries: Retries
  /** The first scan of a binding: what the space already shows at a path is taken over. */
  readonly isImport: boolean
  readonly monotonicMs: () => number
  readonly signal: AbortSignal
  /** This device may only read: takes what would be sent. */
  readonly unsent?: Unsent | undefined
  /** These are committed. */
  readonly onCommitted?: (items: readonly Item[]) => void
}

/**
 * Makes a group of local changes into writes of the space: reads, stores, looks again, commits.
 *
 * What changes in between is left out: its directory is hinted again by the watcher, or by `retries`. A file
 * that was moved and is written to is only moved.
 *
 * @param previous The group before: committed first, because it may hold directories of this one.
 * @param onStale Called with items whose row is another by then, by what the group before made of it (a
 *   file that was moved, and another in its old place), and with moves that were overtaken: they are left
 *   out, and must be looked at again.
 */
export async function push(
  items: readonly Item[],
  options: PushOptions,
  previous: Promise<void>,
  onStale: (stale: Stale) => void,
): Promise<void> {
  const { context, signal, unsent } = options
  let planned = await storeAll(await readAll(onePerRow(items), options), options)
  await previous
  signal.throwIfAborted()
  const all = planned
  planned = await withDirectories(await withoutStale(planned, { context, onStale }), { context, onStale })
  const overtaken: Item[] = []
  const look = new SecondLook(options)
  planned = planned.flatMap((entry) => {
    const now = look.stillThere(entry)
    if (!now && entry.item.type === 'move') overtaken.push(entry.item)
    return now ?? []
  })
  for (const item of overtaken) await tellStale(item, { context, onStale })
  for (const { item } of await overOtherVersions(planned, context)) {
    planned = planned.filter((entry) => entry.item !== item)
    onStale({ item, directories: await dropRows([item.row], context), isRowless: true })
  }
  // What is only noted leaves its place to nobody.
  if (!unsent) planned = await withoutDependents(planned, all, { context, onStale })
  const found = options.isImport || unsent ? await findAdoptions(context, planned) : []
  const adoptions = unsent ? found.filter(({ isEqual }) => isEqual) : found
  const adopted = new Set<Item>(adoptions.map(({ planned }) => planned.item))
  if (adoptions.length > 0) await adoptAll(context, adoptions)
  planned = planned.filter(({ item }) => !adopted.has(item))
  await commit(
    unsent ? await keepUnsent(planned, unsent, { ...options, onStale }) : planned,
    adoptions.filter(({ isEqual }) => !isEqual),
    { ...options, onStale },
  )
}

type CommitOptions = PushOptions & { readonly onStale: (stale: Stale) => void }

/** A row that was moved and looks edited at another place too is only moved. */
function onePerRow(items: readonly Item[]): Item[] {
  const moved = new Set(items.flatMap((item) => (item.type === 'move' ? item.row.key : [])))
  return items.filter((item) => item.type !== 'verify' || !moved.has(item.row.key))
}

async function readAll(items: readonly Item[], options: PushOptions): Promise<Planned[]> {
  const results: (Planned | undefined)[] = new Array(items.length)
  let next = 0
  const lane = async () => {
    while (next < items.length) {
      const index = next++
      results[index] = await readItem(items[index]!, options)
    }
  }
  await Promise.all(Array.from({ length: PARALLEL_READS }, lane))
  return results.filter((planned) => planned !== undefined)
}

async function readItem(item: Item, options: PushOptions): Promise<Planned | undefined> {
  if (!needsReading(item)) return { item }
  const { context, large, retries, signal, unsent } = options
  const { path, stat } = item
  const unread = withoutBytes(item)
  if (retries.mustWait(path, options.monotonicMs())) return unread
  try {
    let read: ReadContent | undefined
    if (stat.kind === 'file' && stat.size > LARGE_BYTES) read = large.take(path, stat, !unsent)
    else read = await readContent({ ...context, path: `${context.directory}/${path}`, signal }, stat)
    return read ? { item, read } : unread
  } catch (error) {
    signal.throwIfAborted()
    refuse(path, error, options)
    return unread
  }
}

/** Without its bytes a create or an edit is nothing; a move is still a move. */
const withoutBytes = (item: Item): Planned | undefined =>
  item.type === 'move' ? { item, isUnread: true } : undefined

/** @returns what can be committed: all of which the bytes, if there are any, are stored, and durable here. */
async function storeAll(planned: readonly Planned[], options: PushOptions): Promise<Planned[]> {
  const { context, retries, signal, unsent } = options
  const uploads = (unsent ? [] : planned).flatMap(({ item, read }) => {
    const isKnown = item.type === 'verify' && item.row.entry.version?.root === read?.content.root
    return !read?.upload || isKnown || read.stat.size > LARGE_BYTES ? [] : [{ item, upload: read.upload }]
  })
  const failed = new Map<Item, unknown>()
  // Beside each other: the disk has mostly done its part before the hub has.
  const [unstored, undurable] = await Promise.all([
    storeEach(context.space, uploads, signal),
    makeItemsDurable(unsent ? [] : planned, context.files, context.directory, signal),
  ])
  for (const [{ item }, error] of unstored) failed.set(item, error)
  for (const [item, error] of undurable) failed.set(item, error)
  return planned.flatMap((entry) => {
    const { item, read } = entry
    const { path } = item
    if (failed.has(item)) {
      refuse(path, failed.get(item), options)
      return withoutBytes(item) ?? []
    }
    // Read alone is not enough: of a file that is written to before each upload nobody would hear.
    if (read && retries.succeeded(path)) context.problems.set(path, [])
    return entry
  })
}

function needsReading(item: Item): item is Item & { type: 'create' | 'verify' | 'move' } {
  switch (item.type) {
    case 'create':
    case 'verify':
      return item.stat.kind !== 'dir'
    case 'move': {
      const { size, mtimeNs } = item.row.fingerprint
      if (item.stat.kind === 'dir') return false
      // A rename has given it another time of change: an edit of before that kept size and time shows in its bytes only.
      const isCheap = item.row.entry.version !== undefined && item.stat.size <= INLINE_BYTES_MAX
      return isCheap || item.row.racy === true || item.stat.size !== size || item.stat.mtimeNs !== mtimeNs
    }
    case 'rebind':
    case 'delete':
      return false
  }
}

async function commit(
  planned: readonly Planned[],
  adoptions: readonly Adoption[],
  options: CommitOptions,
  isSecondTry = false,
): Promise<void> {
  const { context, isImport, retries, monotonicMs } = options
  const { space, rows } = context
  let adopted: { readonly row: SyncedRow; readonly item: Item }[] = []
  const ops = [
    ...planned.flatMap((entry) => opsOf(entry, isImport)),
    ...adoptions.map(({ entry, planned: { read } }): UserOp => {
      return { type: 'adopt', entry: entryKey(entry), content: read!.content }
    }),
  ]
  // Nothing new for the space.
  if (ops.length === 0) return takeStamps(planned, context)
  try {
    const result = await space.commit(ops, async (result) => {
      const plan = await planRows(rows, planned, result)
      const changes: RowChange[] = [...plan.changes]
      const touch = new Set<EntryKey>(plan.touch)
      adopted = []
      for (const adoption of adoptions) {
        const row = adoption.rowAfter(result)
        touch.add(entryKey(adoption.entry))
        if (!row) continue
        changes.push({ before: undefined, after: row })
        adopted.push({ row, item: adoption.planned.item })
        touch.add(row.key)
      }
      for (const twin of plan.twins) reportTwin(twin, context)
      const { ops, displaced } = await rows.change(changes)
      for (const { key } of displaced) touch.add(key)
      adopted = adopted.filter(({ row }) => displaced.includes(row))
      return { ops, touch: [...touch] }
    })
    // The same bytes are that entry at another place already: here they are new.
    for (const { item } of adopted) options.onStale({ item, directories: [], isRowless: true })
    for (const { item, isUnread } of planned) {
      if (context.problems.has(item.path, 'refused')) {
        context.problems.set(item.path, [])
        // Of one that was only moved the bytes are still to be read.
        if (!isUnread) retries.succeeded(item.path)
      }
      // Whatever could not be read or sent at this path was another thing.
      if ('stat' in item && item.stat.kind === 'dir' && retries.succeeded(item.path))
        context.problems.set(item.path, [])
      if (item.type !== 'create' || !item.self) continue
      const entry = result.created.get(item.self.ref)
      if (entry) item.self.settle(entryKey(entry), entry.node)
    }
  } catch (error) {
    if (!(error instanceof SyncError) || error.retry !== 'never') throw error
    if (isTaken(error) && !isSecondTry) {
      const known = await adoptionsOf(planned, context)
      if (known.length > 0) return commitAdopting(planned, [...adoptions, ...known], options)
      return commit(await withFreeNames(space, planned), adoptions, options, true)
    }
    const shown = await withoutUnshown(planned, options)
    if (shown.length < planned.length) return commit(shown, adoptions, options, isSecondTry)
    if (planned.length + adoptions.length > 1) return commitHalves(planned, adoptions, options)
    const { item } = planned[0] ?? adoptions[0]!.planned
    if (!isSecondTry && item.type === 'move' && item.dir.key !== undefined) {
      if (await assertPlacesAbove(item.row.key, item.dir.key, context))
        return commit(planned, adoptions, options, true)
    }
    const { path } = item
    retries.failed(path, monotonicMs(), false)
    const problem = { path, cause: 'refused', detail: error.message, fix: 'rename it, or report this' }
    context.problems.set(path, [problem])
    context.onEvent({ type: 'problem', path, detail: `refused: ${error.message}` })
    return
  }
  options.onCommitted?.(planned.map(({ item }) => item))
  for (const entry of planned) {
    if (opsOf(entry, isImport).length > 0) {
      const { type, path } = entry.item
      context.onEvent({ type: 'sent', path, detail: type === 'verify' ? 'edit' : type })
    }
  }
}

/** The rows say what the disk shows, and nothing is sent. */
async function takeStamps(planned: readonly Planned[], context: PushContext): Promise<void> {
  const { changes, touch } = await planRows(context.rows, planned, { created: new Map(), changes: [] })
  await changeRows(context, changes, { touch, sync: false })
}

/**
 * Drops rows that the synced tree does not know (its registers were to be taken over together with those of
 * an entry that still waits, or it is a directory that is dead by itself): what stands there is new to the
 * space then, and the next scan sends it.
 *
 * @returns the directories that must be looked at.
 */
async function dropUnshown(item: Item, context: PushContext): Promise<string[]> {
  const { space, rows } = context
  const keys = 'row' in item ? [item.row.key, item.row.dir] : []
  if ('dir' in item && item.dir.key !== undefined) keys.push(item.dir.key)
  const unshown: SyncedRow[] = []
  for (const row of await rows.getMany([...new Set(keys)])) {
    if (row && !(await space.synced.entry(row.key))) unshown.push(row)
  }
  const directories = await dropRows(unshown, context)
  if (!unshown.some(({ entry }) => entry.kind === 'dir')) return directories
  // What stands in one of them has no place that anybody could find.
  return [...directories, ...(await mendOrphans(context))]
}

/**
 * What is left of a group without changes to what the synced tree does not know: together, for names may change
 * hands in it.
 */
async function withoutUnshown(
  planned: readonly Planned[],
  options: CommitOptions,
): Promise<readonly Planned[]> {
  const { context, isImport, onStale } = options
  const dropped = new Set<Item>()
  const modes: Planned[] = []
  for (const entry of planned) {
    const { item } = entry
    const ops = opsOf(entry, isImport)
    // Of what changes nothing nobody refused anything.
    if (ops.length === 0) continue
    // Nobody misses bytes that others have replaced or deleted, nor a mode of theirs.
    if (ops.every(({ type }) => type === 'attr') && (await isReplaced(item, context))) {
      modes.push(entry)
      dropped.add(item)
      continue
    }
    const directories = await dropUnshown(item, context)
    if (directories.length === 0) continue
    dropped.add(item)
    onStale({ item, directories, isRowless: true })
  }
  if (dropped.size === 0) return planned
  await takeStamps(modes, context)
  const left = planned.filter(({ item }) => !dropped.has(item))
  return withDirectories(await withoutStale(left, options), options)
}

/** Whether neither what is shown nor what is about to be has these bytes. */
async function isReplaced(item: Item, { space }: PushContext): Promise<boolean> {
  if (!('row' in item) || (await space.synced.entry(item.row.key))) return false
  const coming = await space.received.entry(item.row.key)
  return coming?.version?.root !== item.row.entry.version?.root
}

const isTaken = (error: SyncError): boolean => error instanceof PathError && error.code === 'EXISTS'

/** Files at places where the synced tree shows an entry that has no row: it was ignored here until now. */
async function adoptionsOf(planned: readonly Planned[], context: PushContext): Promise<readonly Adoption[]> {
  const found: Adoption[] = []
  for (const adoption of await findAdoptions(context, planned)) {
    if (await context.space.synced.entry(entryKey(adoption.entry))) found.push(adoption)
  }
  return found
}

async function commitAdopting(
  planned: readonly Planned[],
  adoptions: readonly Adoption[],
  options: CommitOptions,
): Promise<void> {
  await adoptAll(options.context, adoptions)
  const adopted = new Set<Item>(adoptions.map(({ planned }) => planned.item))
  const rest = planned.filter(({ item }) => !adopted.has(item))
  const others = adoptions.filter(({ isEqual }) => !isEqual)
  return commit(rest, others, options)
}

/**
 * One bad change must not stop the others. In order, so that directories come before what is in them; in halves,
 * so that names that change hands mostly do so in one batch.
 */
async function commitHalves(
  planned: readonly Planned[],
  adoptions: readonly Adoption[],
  options: CommitOptions,
): Promise<void> {
  const middle = Math.ceil(planned.length / 2)
  for (const half of [planned.slice(0, middle), planned.slice(middle)]) {
    // The other half may have taken a row away: whoever goes on with it would take another's.
    const possible = await withDirectories(await withoutStale(half, options), options)
    if (possible.length > 0) await commit(possible, [], options)
  }
  for (const adoption of adoptions) await commit([], [adoption], options)
}

function reportTwin(item: Item, context: PushContext): void {
  const problem = {
    path: item.path,
    cause: 'name-twin',
    detail: 'another file here has the same name in another Unicode form, and the same bytes',
    fix: 'remove one of the two',
  }
  context.problems.set(item.path, [problem])
}
