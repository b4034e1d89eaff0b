import type { EntryKey } from '@tidemark/engine'
import { errnoOf } from '../adapters/node-file-system.js'
import type { FileStat } from '../ports/file-system.js'
import type { SyncedRow } from '../rows.js'
import type { DirectoryInput, Whereabouts } from './diff.js'
import { sameIdentity } from './identity.js'
import type { PushContext } from './push-context.js'

export interface Listed {
  readonly found: ReadonlyMap<string, FileStat>
  readonly hidden: ReadonlySet<string>
  /** Names that could not be looked at. */
  readonly unseen: ReadonlySet<string>
  readonly rows: ReadonlyMap<string, SyncedRow>
  mayWait(key: EntryKey): boolean
}

/** Looks up all that the comparison of one directory asks about other places. */
export async function lookUp(context: PushContext, dev: string, listed: Listed): Promise<DirectoryInput> {
  const strangers: string[] = []
  for (const [name, stat] of listed.found) {
    const row = listed.rows.get(name)
    if (!row || !sameIdentity(row.fingerprint, stat)) strangers.push(stat.ino)
  }
  if (strangers.length === 0) return { ...listed, ownersOf: () => [], whereabouts: () => ABSENT }
  const owners = await context.rows.byInodes(dev, strangers)
  const places = new Map<EntryKey, Place>()
  for (const rows of owners.values()) {
    for (const row of rows) places.set(row.key, await placeOf(context, row, listed))
  }
  const occupants = [...places.values()].flatMap(({ stat }) => stat?.ino ?? [])
  const occupantOwners = await context.rows.byInodes(dev, occupants)
  return {
    ...listed,
    ownersOf: (stat) => owners.get(stat.ino) ?? [],
    whereabouts(key) {
      const { row, stat, isUnknown } = places.get(key)!
      if (isUnknown) return { state: 'unknown' }
      if (!stat) return ABSENT
      if (sameIdentity(stat, row.fingerprint)) return { state: 'same' }
      const known = occupantOwners
        .get(stat.ino)
        ?.some((other) => other.key !== key && sameIdentity(other.fingerprint, stat))
      return { state: 'other', kind: stat.kind, known: known === true }
    },
  }
}

const ABSENT: Whereabouts = { state: 'absent' }

interface Place {
  readonly row: SyncedRow
  readonly stat: FileStat | undefined
  readonly isUnknown: boolean
}

async function placeOf(
  { rows, files, directory }: PushContext,
  row: SyncedRow,
  listed: Listed,
): Promise<Place> {
  // By now it may answer: but nothing was found there that could be taken for what went there.
  const wasUnseen = listed.unseen.has(row.localName) && listed.rows.get(row.localName)?.key === row.key
  if (wasUnseen) return { row, stat: undefined, isUnknown: true }
  const path = await rows.localPathOf(row)
  try {
    const stat = path === undefined ? undefined : files.lstat(`${directory}/${path}`)
    return { row, stat, isUnknown: false }
  } catch (error) {
    if (errnoOf(error) === undefined) throw error
    return { row, stat: undefined, isUnknown: true }
  }
}
