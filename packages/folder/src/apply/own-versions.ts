import { createHash } from 'node:crypto'
import type { EntryKey } from '@tidemark/engine'
import type { ChunkId } from '@tidemark/protocol'
import type { FileSystem } from '../ports/file-system.js'
import type { SyncedRow } from '../rows.js'
import { matchesRow, mustBeSystemError } from './disk.js'
import { contentDiffers, type Item } from './item.js'

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
 * The bytes of such a version, read from where it stands, which is not fetched then: they may be nowhere else, where
 * a hub was put back to a backup and its peers have no more of them.
 *
 * @returns `undefined`: it is none of this disk, or cannot be read.
 */
export function readOwnVersion(files: FileSystem, path: string, row: SyncedRow): Uint8Array | undefined {
  try {
    if (!matchesRow(files, path, row)) return undefined
    const bytes = files.readFile(path)
    const root = createHash('sha256').update(bytes).digest('hex')
    return root === row.entry.version?.root ? bytes : undefined
  } catch (error) {
    mustBeSystemError(error)
    return undefined
  }
}
