import type { Clock, EntryKey, Materialised, ViewEntry } from '@tidemark/engine'
import type { FileStat } from '../ports/file-system.js'
import { type Fingerprint, STAGING_DIR, type SyncedRow } from '../rows.js'
import type { RowChange } from '../rows-store.js'
import { linkedKeys } from './components.js'
import { isInode, untouched } from './disk.js'
import { heldRow } from './held-row.js'
import type { Item } from './item.js'
import type { Locator } from './locator.js'
import type { Plan } from './plan.js'
import { fresh, isRacyPlace, stamps } from './stamps.js'
import { liftName, newDirId, type Place, type PlannedPlace, type Step } from './step.js'

/** What stands where while a plan is executed, and what of it the database knows. */
export class RunState {
  readonly items = new Map<EntryKey, Item>()
  /** What stands for each item now; differs from its first row as steps are done. */
  readonly rows = new Map<EntryKey, SyncedRow | undefined>()
  /** The same, as the database has it. */
  readonly stored = new Map<EntryKey, SyncedRow | undefined>()
  /** Where each item's thing stands, in terms of directories on disk. */
  readonly #places = new Map<EntryKey, Place>()
  /** The other way round. */
  readonly #holders = new Map<string, EntryKey>()
  readonly lifted = new Set<EntryKey>()
  readonly failed = new Set<EntryKey>()
  readonly #lastStep = new Map<EntryKey, Step>()
  /** Their last step is done. */
  readonly #finished = new Set<EntryKey>()
  /** Their registers are taken over. */
  readonly #shown = new Set<EntryKey>()
  /** Items by the key of the row that they started from. */
  readonly #ownerOf = new Map<EntryKey, EntryKey>()
  readonly #groups: ReadonlyMap<EntryKey, readonly EntryKey[]>

  constructor(
    { steps }: Plan,
    private readonly locator: Locator,
    private readonly clock: Clock,
  ) {
    for (const step of steps) {
      const { item } = step
      this.items.set(item.key, item)
      this.#lastStep.set(item.key, step)
      this.rows.set(item.key, item.row)
      this.stored.set(item.key, item.row)
      if (!item.row) continue
      this.#stand(item.key, { dir: item.row.dir, name: item.row.localName })
      this.#ownerOf.set(item.row.key, item.key)
    }
    this.#groups = linkedKeys([...this.items.values()])
  }

  isLast(step: Step): boolean {
    return this.#lastStep.get(step.item.key) === step
  }

  isShown(key: EntryKey): boolean {
    return this.#shown.has(key)
  }

  /** What the row says that it is after a step: the new state only after the last one. */
  entryAfter(step: Step): ViewEntry {
    const row = this.rows.get(step.item.key)
    return this.isLast(step) || !row ? step.item.want! : row.entry
  }

  /** Done on disk, but held back because something linked to it is not. */
  heldBack(): EntryKey[] {
    return [...this.#finished].filter((key) => !this.#shown.has(key))
  }

  placeOf(key: EntryKey): Place | undefined {
    return this.#places.get(key)
  }

  /**
   * Whether a step leads to a place that the row of another item still names, because the step that was to
   * free it failed: the disk may be free there, but a place has one row.
   */
  isHeld(step: Step): boolean {
    const to = 'to' in step && step.type !== 'lift' ? step.to : undefined
    const holder = to && this.#holders.get(placeText(to))
    return holder !== undefined && holder !== step.item.key
  }

  /** Updates the models of places and rows after an effect. */
  record(step: Step, stat: FileStat | undefined): void {
    const { key } = step.item
    const row = this.rows.get(key)
    if (row && stat && isInode(row.fingerprint, stat)) this.#stampOtherNames(row, stat)
    if (step.type === 'remove' || step.type === 'rmdir' || !('to' in step) || !step.to) {
      if (row) this.locator.remove(row.key)
      this.rows.set(key, undefined)
      this.#stand(key, undefined)
    } else if (step.type === 'lift') {
      const place = { dir: STAGING_DIR, name: liftName(row!) }
      this.lifted.add(key)
      this.#stand(key, place)
      this.locator.move(row!.key, place)
      this.rows.set(key, { ...row!, dir: place.dir, localName: place.name, fingerprint: fresh(row!, stat!) })
    } else {
      this.lifted.delete(key)
      this.#stand(key, step.to)
      if (step.type === 'mkdir') this.locator.set(newDirId(key), step.to, stat!)
      else if (row) this.locator.move(row.key, step.to)
      this.rows.set(key, this.#rowAfter(step, step.to, row, stat))
    }
    if (this.isLast(step)) this.#finished.add(key)
  }

  /** What is done to one name of a file changes the stamps by which its other names are known. */
  #stampOtherNames({ fingerprint }: SyncedRow, stat: FileStat): void {
    if (fingerprint.nlink < 2) return
    for (const [key, other] of this.rows) {
      if (!other || other.racy || !untouched(other.fingerprint, fingerprint)) continue
      // A new mode is news of that name: the next scan tells of it.
      this.rows.set(key, { ...other, fingerprint: fresh(other, stat) })
    }
  }

  /** What stood for an item is gone, and nothing came. */
  lose(key: EntryKey): void {
    this.locator.remove(this.rows.get(key)!.key)
    this.rows.set(key, undefined)
    this.#stand(key, undefined)
  }

  #stand(key: EntryKey, place: Place | undefined): void {
    const before = this.#places.get(key)
    if (before && this.#holders.get(placeText(before)) === key) this.#holders.delete(placeText(before))
    if (place) {
      this.#places.set(key, place)
      this.#holders.set(placeText(place), key)
    } else this.#places.delete(key)
  }

  #rowAfter(step: Step, to: PlannedPlace, row: SyncedRow | undefined, stat: FileStat | undefined): SyncedRow {
    const isNewContent = bringsContent(step)
    const isRacyNow = isNewContent && stat?.kind === 'file' && isRacyPlace(stat, this.clock.nowMs())
    return {
      key: this.isLast(step) || !row ? step.item.key : row.key,
      dir: to.dirKey,
      localName: to.name,
      entry: this.entryAfter(step),
      fingerprint: fingerprintAfter(step, row, stat),
      ...(isRacyNow || (row?.racy && !isNewContent) ? { racy: true } : {}),
    }
  }

  /** The database has another row now for something that an item started from. */
  follow(before: SyncedRow, after: SyncedRow): void {
    const key = this.#ownerOf.get(before.key)
    if (key === undefined || this.stored.get(key)?.key !== before.key) return
    const now = this.rows.get(key)
    if (now && now.dir === before.dir) this.rows.set(key, { ...now, dir: after.dir })
    this.stored.set(key, after)
  }

  /** What the database must learn after a batch in which these items had steps. */
  settle(keys: ReadonlySet<EntryKey>): { shown: Materialised[]; changes: RowChange[] } {
    const shown: Materialised[] = []
    const changed = new Map<EntryKey, SyncedRow | undefined>()
    for (const key of withGroups(keys, this.#groups)) {
      const item = this.items.get(key)
      if (!item || this.#shown.has(key)) continue
      const isFinished = this.#finished.has(key)
      const isShown = isFinished && this.#groupIsDone(key)
      const before = this.stored.get(key)
      const now = this.rows.get(key)
      const after = isFinished && !isShown && item.row && now ? heldRow(item.row, now) : now
      if (after !== before) changed.set(key, before)
      this.stored.set(key, after)
      if (!isShown) continue
      this.#shown.add(key)
      shown.push({ key, as: item.want ?? item.hidden, nodes: item.nodes })
    }
    for (const key of changed.keys()) this.#nameDirectory(key)
    return { shown, changes: [...changed].map(([key, before]) => ({ before, after: this.stored.get(key) })) }
  }

  /**
   * A directory that is to go by another key does so when it is shown: until then what is put into it has the
   * key that its row has. Then it follows.
   */
  #nameDirectory(key: EntryKey): void {
    const [row, now] = [this.stored.get(key), this.rows.get(key)]
    const dir = row && this.stored.get(row.dir)?.key
    if (!row || dir === undefined || dir === row.dir) return
    this.stored.set(key, { ...row, dir })
    if (now?.dir === row.dir) this.rows.set(key, { ...now, dir })
  }

  /**
   * Whether all that must reach the disk together with this item has. What never stood on disk and waits
   * holds nobody back.
   */
  #groupIsDone(key: EntryKey): boolean {
    return (this.#groups.get(key) ?? []).every((other) => {
      const item = this.items.get(other)
      if (!item || this.#finished.has(other)) return true
      return this.failed.has(other) && !item.row
    })
  }
}

const placeText = ({ dir, name }: Place): string => `${dir}/${name}`

/** All members of the groups of these keys. */
function withGroups(
  keys: ReadonlySet<EntryKey>,
  groups: ReadonlyMap<EntryKey, readonly EntryKey[]>,
): ReadonlySet<EntryKey> {
  const all = new Set(keys)
  for (const key of keys) for (const other of groups.get(key) ?? []) all.add(other)
  return all
}

const bringsContent = ({ type }: Step): boolean => type === 'create' || type === 'replace' || type === 'mkdir'

function fingerprintAfter(step: Step, row: SyncedRow | undefined, stat: FileStat | undefined): Fingerprint {
  if (!stat) return row!.fingerprint
  if (bringsContent(step)) return stamps(stat)
  const fingerprint = fresh(row!, stat)
  return step.type === 'chmod' ? { ...fingerprint, mode: stat.mode } : fingerprint
}
