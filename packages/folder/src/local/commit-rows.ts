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
  const created = [...result.created.values()].map(entryKey)
  const changed = result.changes.map(({ key }) => key)
  const known = new Map<EntryKey, SyncedRow>()
  const keys = [...new Set([...created, ...changed])]
  for (const row of await rows.getMany(keys)) if (row) known.set(row.key, row)
  const plan = new Planner(result, known)
  for (const entry of planned) plan.add(entry)
  plan.addShifted()
  plan.touchRowless()
  return plan.result()
}

class Planner {
  readonly #afterByKey = new Map<EntryKey, ViewEntry>()
  /** Shown no more. */
  readonly #gone = new Set<EntryKey>()
  readonly #deleted = new Set<EntryKey>()
  readonly #afterByPlace = new Map<string, ViewEntry>()
  readonly #changes = new Map<EntryKey, RowChange>()
  readonly #twins: Item[] = []
  readonly #touch = new Set<EntryKey>()

  constructor(
    private readonly commit: CommitResult,
    private readonly known: ReadonlyMap<EntryKey, SyncedRow>,
  ) {
    for (const { key, after } of commit.changes) {
      if (!after) {
        this.#gone.add(key)
        continue
      }
      this.#afterByKey.set(key, after)
      this.#afterByPlace.set(placeOf(after.parent, after.name), after)
    }
  }

  add({ item, read, isUnread }: Planned): void {
    switch (item.type) {
      case 'create':
        this.#created(item, read)
        return
      case 'verify':
      case 'rebind': {
        const { dir, localName } = item.row
        const entry = this.#entryOf(item.row, item.row, read)
        const row = makeRow(entry, dir, localName, read?.stat ?? item.stat, read?.isRacy === true)
        this.#put(item.row, withItsKey(row, item.row))
        return
      }
      case 'move': {
        const dir = this.#keyOf(item.dir)
        const shown = this.#entryOf(item.row, { dir, localName: item.entryName }, read)
        const isEdited = read !== undefined && read.content.root !== item.row.entry.version?.root
        const entry = isEdited ? shown : this.#asOnDisk(item.row, shown)
        const racy = read ? read.isRacy : item.row.racy === true
        const row = withItsKey(makeRow(entry, dir, item.name, read?.stat ?? item.stat, racy), item.row)
        // Old stamps with the old bytes: the next scan sees that the file must be read.
        this.#put(item.row, isUnread ? { ...row, fingerprint: item.row.fingerprint } : row)
        return
      }
      case 'delete':
        this.#put(item.row, undefined)
        this.#deleted.add(item.row.key)
    }
  }

  /** Rows of entries that no item names: pinned ones, or others of one backing node. */
  addShifted(): void {
    for (const { key, after } of this.commit.changes) {
      const row = this.known.get(key)
      if (!row || this.#changes.has(key)) continue
      const entry = after ?? this.#afterByPlace.get(placeOf(row.dir, row.localName.normalize('NFC')))
      if (entry) this.#put(row, { ...row, key: entryKey(entry), entry: this.#asOnDisk(row, entry) })
      // It became one with another, say: what it leaves on disk is taken away like what others removed.
      else this.#touch.add(key)
    }
  }

  /**
   * What the space shows now without any file of this disk behind it must still be made here; also a directory
   * that was deleted and stays as it was, because others have put something into it.
   */
  touchRowless(): void {
    for (const { key, after } of this.commit.changes) {
      if (after && !this.#changes.get(key)?.after) this.#touch.add(key)
    }
    for (const key of this.#deleted) if (!this.#gone.has(key)) this.#touch.add(key)
  }

  result(): RowPlan {
    const changes = [...this.#changes.values()].map(({ before, after }) => ({
      before,
      after: this.#asItsMode(after),
    }))
    for (const { after } of changes) if (after && !showsWhatIsThere(after)) this.#touch.add(after.key)
    return { changes, touch: [...this.#touch], twins: this.#twins }
  }

  #created(item: Item & { type: 'create' }, read: ReadContent | undefined): void {
    const entry = this.commit.created.get(item.self?.ref ?? item.path)
    if (!entry) return
    const key = entryKey(entry)
    const other = this.known.get(key)
    const place = { dir: this.#keyOf(item.dir), localName: item.name }
    // A row below a directory that had lost its own was not looked at by the scan.
    const isFree = !other || this.#changes.has(key) || isSamePlace(place, other)
    const row = makeRow(entry, place.dir, item.name, read?.stat ?? item.stat, read?.isRacy === true)
    const holder = this.#changes.get(key)?.after ?? (isFree ? undefined : other)
    if (!holder) this.#put(other, row)
    else if (entry.kind !== 'file' || isSameName(place, holder)) this.#twins.push(item)
    else this.#giveUp(row)
  }

  /** What the space shows elsewhere, and stands there: here it goes away as if others had removed it. */
  #giveUp(row: SyncedRow): void {
    const key = `${row.entry.node}:${row.entry.version!.root}`
    this.#changes.set(key, { before: undefined, after: { ...row, key } })
    this.#touch.add(key)
  }

  #keyOf(dir: { readonly key: EntryKey | undefined; readonly ref: string }): EntryKey {
    if (dir.key !== undefined) return dir.key
    const entry = this.commit.created.get(dir.ref)
    if (!entry) throw new TypeError(`directory ${dir.ref} was not created`)
    return entryKey(entry)
  }

  #entryOf(row: SyncedRow, place: Pick<SyncedRow, 'dir' | 'localName'>, read?: ReadContent): ViewEntry {
    const same = this.#afterByKey.get(row.key)
    // Between two steps of an update it may stand where the space shows another one still.
    if (same || !this.#gone.has(row.key)) return same ?? row.entry
    const shown = this.#afterByPlace.get(placeOf(place.dir, place.localName.normalize('NFC')))
    const known = shown ?? (read && this.#madeOf(read, place.dir))
    if (known) return known
    // With these bytes it is one with another: this file goes away as if others had removed it.
    const { version } = row.entry
    const entry = version && read ? { ...row.entry, version: { ...version, ...read.content } } : row.entry
    this.#touch.add(row.key).add(entryKey(entry))
    return entry
  }

  /** A conflict copy that was edited is a file of its own: under another name, where its own is longer here by now. */
  #madeOf({ content: { root } }: ReadContent, dir: string): ViewEntry | undefined {
    const made = this.commit.changes.find(({ key, before, after }) => {
      const isFree = !before && !this.known.has(key) && !this.#changes.get(key)?.after
      return isFree && after?.kind === 'file' && after.parent === dir && after.version?.root === root
    })
    return made?.after
  }

  /** Its bytes were not looked at: whatever the space shows, the disk has the version that the row says. */
  #asOnDisk({ entry: { version } }: SyncedRow, entry: ViewEntry): ViewEntry {
    if (version === undefined || version.root === entry.version?.root) return entry
    this.#touch.add(entryKey(entry))
    return { ...entry, version }
  }

  /** Others may have changed whether it may be executed: the row says what is on disk, which is to be changed. */
  #asItsMode(row: SyncedRow | undefined): SyncedRow | undefined {
    if (row?.entry.kind !== 'file') return row
    const executable = isExecutable(row.fingerprint)
    if (row.entry.executable === executable) return row
    this.#touch.add(row.key)
    return { ...row, entry: { ...row.entry, executable } }
  }

  #put(before: SyncedRow | undefined, after: SyncedRow | undefined): void {
    if (before && before.key !== after?.key) this.#leaveKey(before, after?.key)
    if (!after) return
    const stored = this.#changes.get(after.key)?.before ?? this.known.get(after.key)
    this.#changes.set(after.key, { before: before?.key === after.key ? before : stored, after })
  }

  /**
   * A row gives up its key, for another one or for good. Where another file has that one (two files of equal
   * bytes are one entry now), that file takes the key that is left: nothing is shown under it, so the file
   * goes away as if others had removed it.
   */
  #leaveKey(before: SyncedRow, to: EntryKey | undefined): void {
    const given = this.#changes.get(before.key)?.after
    if (given && !isSamePlace(given, before)) return
    const holder = to === undefined ? undefined : (this.#changes.get(to)?.after ?? this.known.get(to))
    const isOther = holder?.entry.kind === 'file' && !isSamePlace(holder, before)
    this.#changes.set(before.key, { before, after: isOther ? { ...holder, key: before.key } : undefined })
    if (isOther) this.#touch.add(before.key)
  }
}

/** What was given up has a key that nothing is shown under, until it goes: not that of its entry, which others have. */
const withItsKey = (row: SyncedRow, before: SyncedRow): SyncedRow =>
  row.entry === before.entry ? { ...row, key: before.key } : row

/** Whether the disk shows the entry where and as the space does. */
function showsWhatIsThere({ entry, dir, localName, fingerprint }: SyncedRow): boolean {
  if (entry.parent !== dir || entry.name !== localName.normalize('NFC')) return false
  return entry.kind !== 'file' || entry.executable === isExecutable(fingerprint)
}

type RowPlace = Pick<SyncedRow, 'dir' | 'localName'>

const isSamePlace = (a: RowPlace | undefined, b: RowPlace): boolean =>
  a !== undefined && a.dir === b.dir && a.localName === b.localName

/** But for the form in which the file system has it. */
const isSameName = (a: RowPlace, b: RowPlace): boolean =>
  a.dir === b.dir && a.localName.normalize('NFC') === b.localName.normalize('NFC')

const placeOf = (parent: string, name: string): string => `${parent}/${name}`
