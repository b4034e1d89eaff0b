import type { EntryKey } from '@tidemark/engine'
import type { FileKind, FileStat } from '../ports/file-system.js'
import type { SyncedRow } from '../rows.js'
import { mayBeMoved, sameIdentity, sameStamps } from './identity.js'

/** What stands now at the place that a row names. */
export type Whereabouts =
  | { readonly state: 'same' }
  | { readonly state: 'absent' }
  /** It could not be looked at. */
  | { readonly state: 'unknown' }
  /** Something else; `known`: another row names its inode. */
  | { readonly state: 'other'; readonly kind: FileKind; readonly known: boolean }

export interface DirectoryInput {
  readonly found: ReadonlyMap<string, FileStat>
  readonly hidden: ReadonlySet<string>
  /** Rows of this directory, by local name. */
  readonly rows: ReadonlyMap<string, SyncedRow>
  /** Rows that name the inode of something that is not where its row says. */
  ownersOf(stat: FileStat): readonly SyncedRow[]
  whereabouts(key: EntryKey): Whereabouts
  /** Whether there is time to look again for the thing of this row. */
  mayWait(key: EntryKey): boolean
}

/** What one directory says. Only `occupied` and `missing` need to know what the rest of the scan saw. */
export type Finding =
  /** Nothing of the space stood here, and this is nothing that stood elsewhere. */
  | { readonly type: 'create'; readonly name: string; readonly stat: FileStat }
  /** The same entry; its bytes may be new. */
  | { readonly type: 'verify'; readonly row: SyncedRow; readonly stat: FileStat }
  /** A directory that is where it was. */
  | { readonly type: 'enter'; readonly row: SyncedRow; readonly stat: FileStat }
  /** An entry came here from where it no longer is. */
  | { readonly type: 'move'; readonly row: SyncedRow; readonly name: string; readonly stat: FileStat }
  /** Something else stands at the row's place; `owner`: the row that this something has elsewhere. */
  | {
      readonly type: 'occupied'
      readonly row: SyncedRow
      readonly stat: FileStat
      readonly owner: SyncedRow | undefined
    }
  /** The row's thing may have come here: its place could not be looked at. */
  | { readonly type: 'unclear'; readonly row: SyncedRow }
  | { readonly type: 'missing'; readonly row: SyncedRow }

/** Compares what one directory holds with what it held when it was last in sync. Pure. */
export function diffDirectory(input: DirectoryInput): Finding[] {
  const findings: Finding[] = []
  for (const [name, stat] of input.found) {
    const row = input.rows.get(name)
    const finding = row ? atKnownName(input, row, stat) : atNewName(input, name, stat)
    if (finding) findings.push(finding)
  }
  for (const [name, row] of input.rows) {
    // Hidden is unknown: an ignored or odd thing at a synced place deletes nothing.
    if (input.found.has(name) || input.hidden.has(name)) continue
    findings.push({ type: 'missing', row })
  }
  return findings
}

function atKnownName(input: DirectoryInput, row: SyncedRow, stat: FileStat): Finding | undefined {
  const isSameKind = row.entry.kind === stat.kind
  if (isSameKind && sameIdentity(row.fingerprint, stat)) {
    if (stat.kind === 'dir') return { type: 'enter', row, stat }
    return row.racy || !sameStamps(row.fingerprint, stat) ? { type: 'verify', row, stat } : undefined
  }
  const owner = input.ownersOf(stat).find((other) => other.key !== row.key && mayBeMoved(other, stat))
  const place = owner && input.whereabouts(owner.key)
  if (owner && place?.state === 'unknown' && input.mayWait(owner.key)) return { type: 'unclear', row: owner }
  const isHere = owner !== undefined && place?.state !== 'same'
  // Saved by rename: an inode that the space does not know, or a further link to one that stays.
  if (isSameKind && stat.kind !== 'dir' && !isHere) return { type: 'verify', row, stat }
  return { type: 'occupied', row, stat, owner: isHere ? owner : undefined }
}

function atNewName(input: DirectoryInput, name: string, stat: FileStat): Finding {
  for (const row of input.ownersOf(stat)) {
    if (!mayBeMoved(row, stat)) continue
    const place = input.whereabouts(row.key)
    if (hasLeft(place, stat.kind)) return { type: 'move', row, name, stat }
    if (place.state === 'unknown' && input.mayWait(row.key)) return { type: 'unclear', row }
  }
  return { type: 'create', name, stat }
}

function hasLeft(place: Whereabouts, kind: FileKind): boolean {
  switch (place.state) {
    case 'absent':
      return true
    case 'same':
    case 'unknown':
      return false
    case 'other':
      // A file whose path still holds a file was saved by rename, and this is the old one under a new
      // name; unless what stands there came from elsewhere too (swap, rotation).
      return kind === 'dir' || place.kind !== kind || place.known
  }
}
