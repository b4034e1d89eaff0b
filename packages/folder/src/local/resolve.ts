import type { EntryKey } from '@tidemark/engine'
import type { FileStat } from '../ports/file-system.js'
import type { SyncedRow } from '../rows.js'
import type { DirRef } from './dir-ref.js'

/** Where something stands on disk. */
export interface Spot {
  readonly dir: DirRef
  readonly name: string
  readonly stat: FileStat
}

export interface Moved extends Spot {
  readonly row: SyncedRow
}

export interface Occupied extends Spot {
  /** The row that names this place. */
  readonly row: SyncedRow
  /** The row of what stands here now, if the space knows it from elsewhere. */
  readonly owner: SyncedRow | undefined
}

/** What a whole scan says about everything that is not simply where it was. */
export interface Displacements {
  readonly moved: readonly Moved[]
  readonly occupied: readonly Occupied[]
  readonly missing: readonly SyncedRow[]
}

export interface Resolution {
  readonly moves: readonly Moved[]
  readonly creates: readonly Spot[]
  /** New bytes at the row's place. */
  readonly verifies: readonly Moved[]
  /** A new directory under the old name: the same entry. */
  readonly rebinds: readonly Moved[]
  /** To be deleted in the same batch, because something else has their name now. */
  readonly deletes: readonly SyncedRow[]
  /** Gone as far as this scan can tell; deleted when they stay away. */
  readonly missing: readonly SyncedRow[]
  /**
   * Keys about which nothing is decided yet, because something must stay away longer first: all of them, and
   * the places that they name, must be looked at again then.
   */
  readonly waiting: readonly EntryKey[]
}

/**
 * Decides what became of places and rows that no longer fit, when the scan has ended. Pure.
 *
 * @param isOverdue Whether this row has been gone for long enough to be deleted.
 */
export function resolve(input: Displacements, isOverdue: (key: EntryKey) => boolean): Resolution {
  const moves = new Map<EntryKey, Moved>()
  const creates: Spot[] = []
  for (const moved of input.moved) {
    // A further link of a file that was moved is a new file.
    if (moves.has(moved.row.key)) creates.push(moved)
    else moves.set(moved.row.key, moved)
  }
  const owners = new Set(input.occupied.flatMap(({ owner }) => owner?.key ?? []))
  const livesOn = (row: SyncedRow) => moves.has(row.key) || owners.has(row.key)
  const waiting = input.occupied.some(
    (item) => removesEntry(item) && !livesOn(item.row) && !isOverdue(item.row.key),
  )
  const verifies: Moved[] = []
  const rebinds: Moved[] = []
  const displaced: SyncedRow[] = []
  const missing = new Set(input.missing.map(({ key }) => key))
  // What one place becomes depends on the others: they wait together.
  for (const item of waiting ? [] : input.occupied) {
    const { row, owner, stat, dir, name } = item
    if (!removesEntry(item) && !livesOn(row)) {
      verifies.push({ row, dir, name, stat })
      // Renamed over it: the two have one content now, and must not pass for one file.
      if (owner && missing.has(owner.key) && !moves.has(owner.key)) displaced.push(owner)
    } else if (owner && !moves.has(owner.key)) {
      moves.set(owner.key, { ...item, row: owner })
      displaced.push(row)
    } else if (row.entry.kind === 'dir' && stat.kind === 'dir' && !livesOn(row)) {
      rebinds.push(item)
    } else {
      creates.push(item)
      displaced.push(row)
    }
  }
  const deletes = displaced.filter((row) => !moves.has(row.key))
  const gone = new Set(deletes.map(({ key }) => key))
  const held = new Set(waiting ? [...input.occupied.map(({ row }) => row.key), ...owners] : [])
  return {
    moves: [...moves.values()],
    creates,
    verifies,
    rebinds,
    deletes,
    missing: input.missing.filter(({ key }) => !moves.has(key) && !held.has(key) && !gone.has(key)),
    waiting: [...held],
  }
}

/** Whether the row's entry is gone from its place for good, if it is nowhere else. */
function removesEntry({ row, stat }: Occupied): boolean {
  return stat.kind !== row.entry.kind || stat.kind === 'dir'
}
