import type { EntryKey, Version } from '@tidemark/engine'
import { type ChunkId, INLINE_BYTES_MAX, SyncError } from '@tidemark/protocol'
import type { ApplyContext } from '../apply-context.js'
import type { SyncedRow } from '../rows.js'
import { mustBeSystemError } from './disk.js'
import type { Downloads } from './downloads.js'
import { fetchInGroups } from './fetch-small.js'
import { contentDiffers, type Item } from './item.js'
import { changedModeOf, modeOf } from './mode.js'
import { ownVersions, readOwnVersion } from './own-versions.js'
import { noSpace, refusedByDisk, waitingForBytes, waitingForHub } from './problems.js'
import type { Report } from './report.js'
import { Room } from './room.js'
import type { Staged, StagingArea } from './staging.js'

export interface StagingResult {
  readonly staged: Map<EntryKey, Staged>
  /** Entries whose bytes are not in staging. */
  readonly waiting: Set<EntryKey>
  /** Those of them whose bytes are there, at this path, but for another entry. */
  readonly sharing: Map<EntryKey, string>
}

const isSmall = ({ height, size }: Version): boolean => height === 0 && size <= INLINE_BYTES_MAX

export interface StageTools {
  readonly ctx: ApplyContext
  readonly area: StagingArea
  readonly downloads: Downloads
  readonly report: Report
  readonly signal: AbortSignal
  /** Where it is to stand, relative: for problems. */
  pathOf(item: Item): string
  /** Where it stands. */
  absolute(row: SyncedRow): string
  /** What comes is added as it comes, so that whoever ends this call early knows of it. */
  readonly staged: Map<EntryKey, Staged>
}

/**
 * Brings the bytes that these items need into staging: small files at once, in groups; large ones are
 * asked of `downloads` and wait until they are complete; a small version that stands here is read.
 */
export async function stage(tools: StageTools, items: readonly Item[]): Promise<StagingResult> {
  const { ctx, area, report, pathOf, absolute, staged } = tools
  const result: StagingResult = { staged, waiting: new Set(), sharing: new Map() }
  const own = ownVersions(items.filter(({ row, want }) => row || (want?.version && isSmall(want.version))))
  const room = new Room(ctx.files, ctx.staging)
  const left: Item[] = []
  for (const item of items) {
    const row = own.get(item.key)?.row
    const bytes = row && room.take(row.entry.version!.size) && readOwnVersion(ctx.files, absolute(row), row)
    if (bytes) write(ctx, area, item, bytes, result, report, pathOf)
    else left.push(item)
  }
  await fetchBytes(tools, left, result)
  // With what replaces it the last copy of a version could go.
  for (const [key, { key: replacing }] of own) if (result.waiting.has(key)) result.waiting.add(replacing)
  return result
}

async function fetchBytes(
  { ctx, area, downloads, report, signal, pathOf }: StageTools,
  items: readonly Item[],
  result: StagingResult,
): Promise<void> {
  const room = new Room(ctx.files, ctx.staging)
  const small = new Map<ChunkId, Item[]>()
  const sizes: { root: ChunkId; size: number }[] = []
  for (const item of items.filter(needsBytes)) {
    const { key, want } = item
    const version = want!.version!
    if (!isSmall(version)) {
      takeDownload(ctx, area, downloads, item, result, report, pathOf)
    } else if (!room.take(version.size)) {
      report.problem(noSpace(pathOf(item), version.size))
      result.waiting.add(key)
    } else if (version.size === 0) write(ctx, area, item, new Uint8Array(0), result, report, pathOf)
    else {
      const sharing = small.get(version.root)
      if (sharing) sharing.push(item)
      else {
        small.set(version.root, [item])
        sizes.push({ root: version.root, size: version.size })
      }
    }
  }
  const use = (root: ChunkId, bytes: Uint8Array) => {
    for (const item of small.get(root) ?? []) write(ctx, area, item, bytes, result, report, pathOf)
  }
  try {
    await fetchInGroups(ctx.space, sizes, use, signal)
  } catch (error) {
    signal.throwIfAborted()
    // The connection broke, say: what came is used, the rest is asked for again.
    if (!(error instanceof SyncError)) throw error
  }
  for (const item of [...small.values()].flat()) {
    if (result.staged.has(item.key) || result.waiting.has(item.key)) continue
    result.waiting.add(item.key)
    report.problem(ctx.isConnected() ? waitingForBytes(pathOf(item)) : waitingForHub(pathOf(item)))
  }
}

function needsBytes({ row, want }: Item): boolean {
  return want?.kind === 'file' && want.version !== undefined && (!row || contentDiffers(row, want))
}

function write(
  ctx: ApplyContext,
  area: StagingArea,
  item: Item,
  bytes: Uint8Array,
  result: StagingResult,
  report: Report,
  pathOf: (item: Item) => string,
): void {
  try {
    const mode = modeOf(item)
    let staged = area.write(bytes, mode, item.want!.version!.mtimeMs)
    if (item.row && staged.fingerprint.mode !== mode) {
      ctx.files.chmod(staged.path, mode)
      staged = { path: staged.path, fingerprint: ctx.files.lstat(staged.path)! }
    }
    result.staged.set(item.key, staged)
  } catch (error) {
    report.problem(refusedByDisk(pathOf(item), mustBeSystemError(error)))
    result.waiting.add(item.key)
  }
}

function takeDownload(
  ctx: ApplyContext,
  area: StagingArea,
  downloads: Downloads,
  item: Item,
  result: StagingResult,
  report: Report,
  pathOf: (item: Item) => string,
): void {
  const version = item.want!.version!
  const path = area.partPath(version.root)
  // Of two files with equal bytes one takes the part; the other asks again.
  if ([...result.staged.values()].some((staged) => staged.path === path)) {
    result.waiting.add(item.key)
    result.sharing.set(item.key, path)
    return
  }
  const download = downloads.ask(ctx, area, version, item.row)
  if (download.state === 'complete') {
    try {
      ctx.files.chmod(path, changedModeOf(item, ctx.files.umask()))
      ctx.files.setMtime(path, version.mtimeMs)
      result.staged.set(item.key, { path, fingerprint: ctx.files.lstat(path)! })
      return
    } catch (error) {
      report.problem(refusedByDisk(pathOf(item), mustBeSystemError(error)))
    }
  } else if (!ctx.isConnected()) report.problem(waitingForHub(pathOf(item)))
  else if (download.state === 'missing') report.problem(waitingForBytes(pathOf(item), download.error))
  else if (download.state === 'no-space') report.problem(noSpace(pathOf(item), version.size))
  else if (download.state === 'refused') report.problem(refusedByDisk(pathOf(item), download.errno))
  result.waiting.add(item.key)
}
