import { join } from 'node:path'
import type { EntryKey, Refused, ViewEntry } from '@tidemark/engine'
import type { ApplyContext } from '../apply-context.js'
import { parentOf } from '../parent-of.js'
import type { FileStat } from '../ports/file-system.js'
import type { SyncedRow } from '../rows.js'
import type { BoundRoot } from '../rows-store.js'
import { wantedLocalName } from '../wanted-name.js'
import { removeAbandoned } from './abandoned.js'
import { matchesRow, mayBeThere, mustBeSystemError } from './disk.js'
import { Downloads } from './downloads.js'
import { type Gathered, gather } from './gather.js'
import { dropHidden, leaves, leavingBelow } from './hidden.js'
import { contentDiffers, executableDiffers, type Item } from './item.js'
import { batchDel, readUnsettled } from './journal.js'
import { keepRefused, nodeOf, readRefused, sameRefusals } from './keep-refused.js'
import { keptEntries, withWaiting } from './kept.js'
import { LeavingRules } from './leaving-rules.js'
import { Locator, soundDirs } from './locator.js'
import { pairRows } from './pair.js'
import { type Applied, Report } from './report.js'
import { Run } from './run.js'
import { planSharing } from './shared-parts.js'
import { stage } from './stage.js'
import { type Staged, StagingArea } from './staging.js'
import { behindIgnored } from './taken-places.js'
import { Trash } from './trash.js'
import { Unsettled } from './unsettled.js'
import { WantedPaths } from './wanted-paths.js'

/** Entries read and planned together; what they need besides is pulled in. */
const ENTRIES_MAX = 1_024

/**
 * Makes the disk show what the space shows, as far as bytes are here and nothing of the user's is in the
 * way. What waits stays dirty: call again when `space.changed$` emits, after a rescan, or later.
 *
 * @param downloads Large files are fetched beside the caller's loop: the call returns while they run, and
 *   they count as deferred. Left out, the call waits for them.
 * @throws the signal's reason; the disk and the database then agree as after a crash that was recovered.
 */
export async function applyRemote(
  ctx: ApplyContext,
  signal: AbortSignal,
  downloads?: Downloads,
): Promise<Applied> {
  if (downloads) return (await applyOnce(ctx, signal, downloads)).result()
  const own = new Downloads()
  const stop = () => void own.close()
  signal.addEventListener('abort', stop)
  try {
    let report = await applyOnce(ctx, signal, own)
    let applied = report.applied
    while (!own.isIdle) {
      await own.next()
      signal.throwIfAborted()
      report = await applyOnce(ctx, signal, own)
      applied += report.applied
    }
    return { ...report.result(), applied }
  } finally {
    signal.removeEventListener('abort', stop)
    await own.close()
  }
}

/** Every entry that is dirty now is looked at once. */
async function applyOnce(ctx: ApplyContext, signal: AbortSignal, downloads: Downloads): Promise<Report> {
  const report = new Report()
  const area = new StagingArea(ctx.files, ctx.staging, () => ctx.clock.nowMs())
  const trash = new Trash(ctx.files, ctx.trash, () => ctx.clock.nowMs())
  const root = await ctx.rows.root()
  const seen = new Set<EntryKey>()
  for (;;) {
    signal.throwIfAborted()
    const keys = (await ctx.space.dirty(ENTRIES_MAX + seen.size)).filter((key) => !seen.has(key))
    if (keys.length === 0) return report
    const known = await readRefused(ctx.space)
    // Before anything is read: a refusal of what was sent is found then.
    const isSent = ctx.isSent()
    const batch = await gatherWhole(ctx, keys.slice(0, ENTRIES_MAX), root)
    // What was read may be half of what is being forgotten.
    if (ctx.space.begunAnew.phase !== 'no') return report
    const unsettled = await Unsettled.read(ctx)
    // After what it says was gathered: both come in one batch. But what was gathered may be of before that.
    const refused = await readRefused(ctx.space)
    if (!sameRefusals(known, refused)) continue
    for (const { key } of batch.items) seen.add(key)
    for (const key of keys.slice(0, ENTRIES_MAX)) seen.add(key)
    const locator = locatorOf(ctx, root, batch)
    const again = await applyBatch(
      { ctx, signal, downloads, report, area, trash, locator, unsettled, refused, isSent },
      batch,
    )
    for (const key of again) seen.delete(key)
  }
}

/** With all that leaves together with a directory. */
async function gatherWhole(
  ctx: ApplyContext,
  keys: readonly EntryKey[],
  root: BoundRoot | undefined,
): Promise<Gathered> {
  const wanted = new Set(keys)
  for (;;) {
    const batch = await gather(ctx, [...wanted])
    const below = await leavingBelow(ctx, batch.items, new WantedPaths(batch, locatorOf(ctx, root, batch)))
    if (below.length === 0) return batch
    for (const key of below) wanted.add(key)
  }
}

const locatorOf = (ctx: ApplyContext, root: BoundRoot | undefined, { dirs }: Gathered): Locator =>
  new Locator(ctx.files, ctx.directory, ctx.staging, root, dirs.values())

interface BatchTools {
  readonly ctx: ApplyContext
  readonly signal: AbortSignal
  readonly downloads: Downloads
  readonly report: Report
  readonly area: StagingArea
  readonly trash: Trash
  readonly locator: Locator
  readonly unsettled: Unsettled
  readonly refused: ReadonlyMap<string, Refused>
  readonly isSent: boolean
}

/** @returns entries to be gathered again. */
async function applyBatch(tools: BatchTools, batch: Gathered): Promise<readonly EntryKey[]> {
  const { ctx, signal, downloads, report, area, trash, locator, unsettled, refused, isSent } = tools
  const paths = new WantedPaths(batch, locator)
  const unread = whereRulesAreUnknown(tools, batch.items)
  const mustWait = (item: Item) =>
    unread.has(item.key) || unsettled.concerns(item, (row) => paths.current(row))
  const others = batch.items.filter((item) => !mustWait(item))
  const isKept = await keepRefused(ctx, refused, others, (row) => paths.current(row))
  // Bytes that the hub may still refuse stay where their user has them until it has them too.
  const awaiting = new Set(isSent ? [] : others.filter((item) => leaves(ctx, item, paths)))
  const visible = isKept
    ? 'again'
    : await dropHidden(
        ctx,
        others.filter((item) => !awaiting.has(item)),
        paths,
      )
  // Rows went: nothing that was gathered holds any more.
  if (visible === 'again') return batch.items.map(({ key }) => key)
  if (awaiting.size > 0) report.awaitsHub = true
  const items = pairRows([...batch.items.filter(mustWait), ...awaiting, ...visible])
  const dirs = soundDirs(locator, batch.dirs)
  const waiting = new Set([...items.filter(mustWait), ...awaiting].map(({ key }) => key))
  const leavingRules = await LeavingRules.of(
    tools,
    items.filter(({ key }) => !waiting.has(key)),
    dirs,
  )
  const unseen = await leavingRules.keep()
  if (unseen === 'again') return batch.items.map(({ key }) => key)
  const behind = [...behindRefused(tools, items, paths), ...behindIgnoredHere(tools, items, paths)]
  const untouchable = new Set([
    ...waiting,
    ...unseen,
    ...keptEntries(tools, items, batch.settled),
    ...behind,
    ...changedOnDisk(tools, items),
  ])
  const free = items.filter(({ key }) => !untouchable.has(key))
  const pathOf = (item: Item) => paths.of(item)
  const absolute = (row: SyncedRow) => join(ctx.directory, paths.current(row))
  const staged = new Map<EntryKey, Staged>()
  const left = () => unused(ctx, area, staged)
  try {
    const bytes = await stage({ ctx, area, downloads, report, signal, pathOf, absolute, staged }, free)
    const input = { items, dirs, settled: batch.settled, blocked: untouchable }
    const steps = await planSharing({ ctx, area, report, signal, pathOf }, input, bytes)
    await new Run({ ctx, locator, trash, staging: area, staged, report, leavingRules }, steps).execute(signal)
  } catch (error) {
    // The journal may tell of it: what is not in staging any more passes for placed.
    if (error === signal.reason) await remove(ctx, left())
    else for (const path of left()) ctx.abandoned.add(path)
    throw error
  }
  const nodes = new Set(behind.map(nodeOf))
  // Nothing but another entry of its node is what it waits for.
  for (const { key, want } of items)
    if (nodes.has(nodeOf(key)) && report.deferred.has(key) && (!want || staged.has(key))) report.keep(key)
  const awaited = await stagedForUnsettled(ctx)
  const unwanted = left().filter((path) => !awaited.has(path))
  for (const path of left().filter((each) => awaited.has(each))) ctx.abandoned.add(path)
  await remove(ctx, unwanted)
  return []
}

/** Items of which nobody can say here whether they are ignored where they stand: the local side looks first. */
function whereRulesAreUnknown({ ctx, locator, report }: BatchTools, items: readonly Item[]): Set<EntryKey> {
  const unknown = new Set<EntryKey>()
  for (const { key, row } of items) {
    const unread = row && ctx.rules.unread(locator.relativeDir(row.dir))
    if (unread === undefined) continue
    unknown.add(key)
    report.defer(key)
    report.rescan(unread)
  }
  return unknown
}

/** Items that are at, or go to or below, a place where something stands that the hub refused: they wait for a person. */
function behindRefused({ ctx, report }: BatchTools, items: readonly Item[], paths: WantedPaths): EntryKey[] {
  if (ctx.refused.size === 0) return []
  const isRefused = (path: string): boolean => {
    const stat = statIfAllowed(ctx, path)
    return stat !== undefined && ctx.refused.holds(path, stat)
  }
  const isBelow = (path: string): boolean => path !== '' && (isRefused(path) || isBelow(parentOf(path)))
  const behind = items.filter(
    (item) => (item.want && isBelow(paths.of(item))) || (item.row && isRefused(paths.current(item.row))),
  )
  const waiting = withWaiting(behind, items)
  for (const key of waiting) report.keep(key)
  return [...waiting]
}

function behindIgnoredHere(
  { ctx, report }: BatchTools,
  items: readonly Item[],
  paths: WantedPaths,
): EntryKey[] {
  const isDirectoryAt = (path: string) => {
    const stat = statIfAllowed(ctx, path)
    return stat && stat.kind === 'dir'
  }
  const isIgnored = (path: string, isDirectory: boolean) => ctx.rules.isIgnored(path, isDirectory)
  const wantedPath = (item: Item) => paths.of(item)
  const currentPath = (row: SyncedRow) => paths.current(row)
  return behindIgnored({ report, isIgnored, isDirectoryAt, wantedPath, currentPath }, items)
}

function statIfAllowed({ files, directory }: ApplyContext, path: string): FileStat | undefined {
  try {
    return files.lstat(join(directory, path))
  } catch (error) {
    mustBeSystemError(error)
    return undefined
  }
}

/** Items whose row no longer says what stands on disk: the local side looks first. */
function changedOnDisk({ ctx, locator, report }: BatchTools, items: readonly Item[]): Set<EntryKey> {
  const changed = new Set<EntryKey>()
  for (const item of items) {
    const { key, row, want } = item
    if (!row || (want && !isToChange(item) && !mayStandForAnother(want))) continue
    const unsound = locator.unsound(row.dir)
    const place = { dir: row.dir, name: row.localName }
    if (unsound === undefined && isAsRow(ctx, locator.absolute(place)!, row)) continue
    changed.add(key)
    report.rescan(unsound ?? locator.relativeDir(row.dir))
  }
  return changed
}

const isToChange = (item: Item): boolean =>
  moves(item) || contentDiffers(item.row!, item.want!) || executableDiffers(item.row!, item.want!)

/** Another file may have become one entry with it, and its own place may be given up for that. */
const mayStandForAnother = ({ kind, backing }: ViewEntry): boolean => kind === 'file' && backing.length > 1

function isAsRow(ctx: ApplyContext, path: string, row: NonNullable<Item['row']>): boolean {
  try {
    return matchesRow(ctx.files, path, row)
  } catch (error) {
    mustBeSystemError(error)
    return false
  }
}

const moves = ({ row, want }: Item): boolean =>
  row!.dir !== want!.parent || row!.localName !== wantedLocalName(row, want!)

/** Small files whose place was not to be had: fetched again when it is. Parts stay. */
function unused(ctx: ApplyContext, area: StagingArea, staged: ReadonlyMap<EntryKey, Staged>): string[] {
  const paths = [...staged.values()].map(({ path }) => path)
  return paths.filter(
    (path) => !path.startsWith(join(area.directory, 'part-')) && mayBeThere(ctx.files, path),
  )
}

/** What settling goes on with: removed before, its inode number could be that of a file that its user makes then. */
async function stagedForUnsettled({ space, directory }: ApplyContext): Promise<ReadonlySet<string>> {
  const intents = await readUnsettled(space.rows)
  return new Set(intents.flatMap(({ staged }) => (staged ? [join(directory, staged.path)] : [])))
}

/**
 * Not before it is durable that no batch is under way: after a power cut they would pass for placed. What fails, or
 * is left by that, is removed when what is under way is settled.
 */
async function remove(ctx: ApplyContext, paths: readonly string[]): Promise<void> {
  if (paths.length === 0) return
  for (const path of paths) ctx.abandoned.add(path)
  await ctx.space.writeRows([batchDel], { sync: true })
  for (const path of paths) removeAbandoned(ctx, path)
}
