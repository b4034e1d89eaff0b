import type { EntryKey } from '@tidemark/engine'
import type { ChunkId } from '@tidemark/protocol'
import type { ApplyContext } from '../apply-context.js'
import type { SyncedRow } from '../rows.js'
import { matchesRow, mustBeSystemError } from './disk.js'
import { contentDiffers, type Item } from './item.js'
import { modeOf } from './mode.js'
import { Room } from './room.js'
import type { StagingResult } from './stage.js'
import type { StagingArea } from './staging.js'

/**
 * Versions that appear beside what replaces them (an edit that lost becomes a conflict copy), by key, with the item
 * at whose place they stand now.
 */
export function ownVersions(items: readonly Item[]): ReadonlyMap<EntryKey, Item> {
  const standing = new Map<ChunkId, Item[]>()
  for (const item of items) {
    const version = item.row?.entry.version
    if (!version || version.size === 0 || item.row!.entry.kind !== 'file') continue
    if (!item.want || !contentDiffers(item.row!, item.want)) continue
    const group = standing.get(version.root)
    if (group) group.push(item)
    else standing.set(version.root, [item])
  }
  const found = new Map<EntryKey, Item>()
  if (standing.size === 0) return found
  for (const { key, row, want } of items) {
    if (row || want?.kind !== 'file' || !want.version) continue
    const replaced = standing
      .get(want.version.root)
      ?.find((item) => item.want!.backing.some((node) => want.backing.includes(node)))
    if (replaced) found.set(key, replaced)
  }
  return found
}

/**
 * Copies such versions into staging, instead of fetching them: their bytes may be nowhere else, where a hub was put
 * back to a backup and its peers have no more of them. Those that are not replaced yet wait with what replaces them.
 *
 * @param absolute Where a row stands.
 * @returns those that could not be copied.
 * @throws the signal's reason.
 */
export async function copyOwnVersions(
  {
    ctx,
    area,
    signal,
  }: { readonly ctx: ApplyContext; readonly area: StagingArea; readonly signal: AbortSignal },
  own: readonly (readonly [Item, Item])[],
  { staged, waiting }: StagingResult,
  absolute: (row: SyncedRow) => string,
): Promise<readonly Item[]> {
  const left: Item[] = []
  const room = new Room(ctx.files, ctx.staging)
  for (const [item, replaced] of own) {
    const { size, mtimeMs } = item.want!.version!
    if (waiting.has(replaced.key)) {
      waiting.add(item.key)
      continue
    }
    const from = absolute(replaced.row!)
    const isAsRow = () => matchesRow(ctx.files, from, replaced.row!)
    try {
      const copy =
        isAsRow() && room.take(size) && (await area.copy(from, { mode: modeOf(item), mtimeMs }, signal))
      if (copy && isAsRow()) staged.set(item.key, copy)
      else {
        if (copy) ctx.files.unlink(copy.path)
        left.push(item)
      }
    } catch (error) {
      signal.throwIfAborted()
      mustBeSystemError(error)
      left.push(item)
    }
  }
  return left
}
