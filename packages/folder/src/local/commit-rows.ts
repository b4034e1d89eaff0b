import { type CommitResult, type EntryKey, entryKey, type ViewEntry } from '@tidemark/engine'
import type { SyncedRow } from '../rows.js'
import type { RowChange, RowsStore } from '../rows-store.js'
import { isExecutable } from './identity.js'
import type { Item } from './item.js'
import { makeRow } from './make-row.js'
import type { ReadContent } from './read-content.js'

/** An item and what was read for it; absent where nothing had to be read, or could be. */
export interface Planned {
  readonly item: Item
  readonly read?: ReadContent
  /** The file has bytes that are not the space's, and they are not part of this batch. */
  readonly isUnread?: boolean
}

export interface RowPlan {
  readonly changes: readonly RowChange[]
  /** Entries that the space shows elsewhere or otherwise than the disk does. */
  readonly touch: readonly EntryKey[]
  /** Items whose place another row of the same entry has already. */
  readonly twins: readonly Item[]
}

/** What the rows say after a commit. Pure but for looking rows up. */
export async function planRows(
  rows: RowsStore,
  planned: readonly Planned[],
  result: CommitResult,
): Promise<RowPlan> {
  const plan = new Planner(result)
  const created = [...result.created.values()].map(entryKey)
  const changed = result.changes.map(({ key }) => key)
  const known = new Map<EntryKey, SyncedRow>()
  const keys = [...new Set([...created, ...changed])]
  for (const row of await rows.getMany(keys)) if (row) known.set(row.key, row)
  for (const entry of planned) plan.add(entry, known)
  plan.addShifted(known)
  plan.clearPlaces(await rows.atMany(plan.places))
  plan.touchRowless()
  return plan.result()
}

class Planner {
  readonly #afterByKey = new Map<EntryKey, ViewEntry>()
  readonly #afterByPlace = new Map<string, ViewEntry>()
  readonly #changes = new Map<EntryKey, RowChange>()
  readonly #twins: Item[] = []
  readonly #touch = new Set<EntryKey>()

  constructor(private readonly commit: CommitResult) {
    for (const { key, after } of commit.changes) {
      if (!after) continue
      this.#afterByKey.set(key, after)
      this.#afterByPlace.set(placeOf(after.parent, after.name), after)
    }
  }

  add({ item, read, isUnread }: Planned, known: ReadonlyMap<EntryKey, SyncedRow>): void {
    switch (item.type) {
      case 'create':
        this.#created(item, read, known)
        return
      case 'verify':
      case 'rebind': {
        const { dir, localName } = item.row
        const entry = this.#entryOf(item.row, dir, localName)
        const row = makeRow(entry, dir, localName, read?.stat ?? item.stat, read?.isRacy === true)
        this.#put(item.row, row)
        return
      }
      case 'move': {
        const dir = this.#keyOf(item.dir)
        const shown = this.#entryOf(item.row, dir, item.entryName)
        const isEdited = read !== undefined && read.content.root !== item.row.entry.version?.root
        const entry = isEdited ? shown : this.#asOnDisk(item.row, shown)
        const racy = read ? read.isRacy : item.row.racy === true
        const row = makeRow(entry, dir, item.name, read?.stat ?? item.stat, racy)
        // Old stamps with the old bytes: the next scan sees that the file must be read.
        this.#put(item.row, isUnread ? { ...row, fingerprint: item.row.fingerprint } : row)
        return
      }
      case 'delete':
        this.#put(item.row, undefined)
    }
  }

  /** Rows of entries that no item names: pinned ones, or others of one backing node. */
  addShifted(known: ReadonlyMap<EntryKey, SyncedRow>): void {
    for (const { key, after } of this.commit.changes) {
      const row = known.get(key)
      if (!row || this.#changes.has(key)) continue
      const entry = after ?? this.#afterByPlace.get(placeOf(row.dir, row.localName.normalize('NFC')))
      this.#put(row, entry && { ...row, key: entryKey(entry), entry: this.#asOnDisk(row, entry) })
    }
  }

  /** Where rows will stand that did not stand there. */
  get places(): SyncedRow[] {
    const rows: SyncedRow[] = []
    for (const { before, after } of this.#changes.values()) {
      if (after && !isSamePlace(before, after)) rows.push(after)
    }
    return rows
  }

  /** One row a place: what was looked at last is there, and what another row says of it is not. */
  clearPlaces(occupants: readonly (SyncedRow | undefined)[]): void {
    for (const row of occupants) if (row && !this.#changes.has(row.key)) this.#drop(row.key, row)
    const byPlace = new Map<string, EntryKey>()
    for (const { after } of [...this.#changes.values()]) {
      if (!after) continue
      const place = placeOf(after.dir, after.localName)
      const earlier = byPlace.get(place)
      byPlace.set(place, after.key)
      if (earlier !== undefined) this.#drop(earlier, this.#changes.get(earlier)!.before)
    }
  }

  /** What the space shows now without any file of this disk behind it must still be made here. */
  touchRowless(): void {
    for (const { key, after } of this.commit.changes) {
      if (after && !this.#changes.get(key)?.after) this.#touch.add(key)
    }
  }

  #drop(key: EntryKey, before: SyncedRow | undefined): void {
    this.#changes.set(key, { before, after: undefined })
    this.#touch.add(key)
  }

  result(): RowPlan {
    const changes = [...this.#changes.values()]
    for (const { after } of changes) if (after && !showsWhatIsThere(after)) this.#touch.add(after.key)
    return { changes, touch: [...this.#touch], twins: this.#twins }
  }

  #created(
    item: Item & { type: 'create' },
    read: ReadContent | undefined,
    known: ReadonlyMap<EntryKey, SyncedRow>,
  ): void {
    const entry = this.commit.created.get(item.self?.ref ?? item.path)
    if (!entry) return
    const key = entryKey(entry)
    const other = known.get(key)
    const isFree = !other || this.#changes.has(key)
    if (!isFree || this.#changes.get(key)?.after) this.#twins.push(item)
    else
      this.#put(
        other,
        makeRow(entry, this.#keyOf(item.dir), item.name, read?.stat ?? item.stat, read?.isRacy === true),
      )
  }

  #keyOf(dir: { readonly key: EntryKey | undefined; readonly ref: string }): EntryKey {
    if (dir.key !== undefined) return dir.key
    const entry = this.commit.created.get(dir.ref)
    if (!entry) throw new TypeError(`directory ${dir.ref} was not created`)
    return entryKey(entry)
  }

  #entryOf(row: SyncedRow, dir: EntryKey, localName: string): ViewEntry {
    return (
      this.#afterByKey.get(row.key) ??
      this.#afterByPlace.get(placeOf(dir, localName.normalize('NFC'))) ??
      row.entry
    )
  }

  /** Its bytes were not looked at: whatever the space shows, the disk has the version that the row says. */
  #asOnDisk({ entry: { version } }: SyncedRow, entry: ViewEntry): ViewEntry {
    if (version === undefined || version.root === entry.version?.root) return entry
    this.#touch.add(entryKey(entry))
    return { ...entry, version }
  }

  #put(before: SyncedRow | undefined, after: SyncedRow | undefined): void {
    if (before && before.key !== after?.key) this.#changes.set(before.key, { before, after: undefined })
    if (!after) return
    const earlier = this.#changes.get(after.key)
    this.#changes.set(after.key, { before: before?.key === after.key ? before : earlier?.before, after })
  }
}

/** Whether the disk shows the entry where and as the space does. */
function showsWhatIsThere({ entry, dir, localName, fingerprint }: SyncedRow): boolean {
  if (entry.parent !== dir || entry.name !== localName.normalize('NFC')) return false
  return entry.kind !== 'file' || entry.executable === isExecutable(fingerprint)
}

const isSamePlace = (a: SyncedRow | undefined, b: SyncedRow): boolean =>
  a !== undefined && a.dir === b.dir && a.localName === b.localName

const placeOf = (parent: string, name: string): string => `${parent}/${name}`
