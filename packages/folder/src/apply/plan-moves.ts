import type { EntryKey } from '@tidemark/engine'
import { ROOT } from '@tidemark/protocol'
import { STAGING_DIR, type SyncedRow } from '../rows.js'
import { compareText, type Item } from './item.js'
import { type DirId, newDirId, type Place, type PlannedPlace, type Step } from './step.js'

interface Pending {
  readonly type: 'mkdir' | 'move' | 'rmdir'
  readonly item: Item
  readonly to?: PlannedPlace
  readonly depth: number
}

/**
 * The part of a plan that changes places: a model of who stands where, and a worklist that performs what
 * can be performed. Where only a cycle is left (a swap, a directory that moves below one that moves out
 * of it), one member is lifted into staging, which frees its place; it lands as soon as it can. Nothing
 * is lifted that could not land.
 */
export class Moves {
  #model: Model
  #pending: Pending[] = []
  readonly #steps: Step[] = []

  constructor(items: readonly Item[], dirs: ReadonlyMap<EntryKey, SyncedRow>, settled: readonly SyncedRow[]) {
    const rows = new Map<EntryKey, SyncedRow>()
    for (const row of dirs.values()) rows.set(row.key, row)
    for (const row of settled) rows.set(row.key, row)
    for (const { row } of items) if (row) rows.set(row.key, row)
    this.#model = new Model(rows.values(), dirs.keys())
  }

  standsAt(row: SyncedRow, to: PlannedPlace): boolean {
    return row.dir === to.dir && row.localName === to.name
  }

  note(item: Item, to: PlannedPlace | undefined): void {
    this.#steps.push({ type: 'note', item, to })
  }

  remove(item: Item): void {
    this.#model.leave(item.row!.key)
    this.#steps.push({ type: 'remove', item })
  }

  rmdir(item: Item): void {
    this.#pending.push({ type: 'rmdir', item, depth: 0 })
  }

  mkdir(item: Item, to: PlannedPlace, depth: number): void {
    this.#pending.push({ type: 'mkdir', item, to, depth })
  }

  move(item: Item, to: PlannedPlace): void {
    this.#pending.push({ type: 'move', item, to, depth: 0 })
  }

  /** Takes a place for a new file. */
  claim(to: PlannedPlace): boolean {
    if (!this.#model.canEnter(to)) return false
    this.#model.enter(`${to.dir}/${to.name}`, to)
    return true
  }

  run(): { steps: readonly Step[]; left: readonly EntryKey[]; moved: ReadonlyMap<EntryKey, PlannedPlace> } {
    this.#pending.sort(
      (a, b) => compareText(a.type, b.type) || a.depth - b.depth || compareText(a.item.key, b.item.key),
    )
    const lifted = new Set<EntryKey>()
    const moved = new Map<EntryKey, PlannedPlace>()
    for (;;) {
      this.#pending = performAll(this.#model, this.#pending, ({ type, item, to }) => {
        if (type === 'rmdir') this.#steps.push({ type, item })
        else if (type === 'mkdir') this.#steps.push({ type, item, to: to! })
        else {
          this.#steps.push({ type: lifted.has(item.key) ? 'land' : 'move', item, to: to! })
          moved.set(item.key, to!)
        }
      })
      const next = this.#liftable().find(({ item }) => !lifted.has(item.key))
      if (!next) break
      lifted.add(next.item.key)
      this.#model.lift(next.item.row!.key)
      this.#steps.push({ type: 'lift', item: next.item, to: next.to! })
    }
    return { steps: this.#steps, left: this.#pending.map(({ item }) => item.key), moved }
  }

  /** The moves that would all end if each of them were lifted at once. */
  #liftable(): Pending[] {
    let hopeful = this.#pending.filter(({ type }) => type === 'move')
    while (hopeful.length > 0) {
      const model = this.#model.clone()
      for (const { item } of hopeful) model.lift(item.row!.key)
      const others = this.#pending.filter(({ type }) => type !== 'move')
      const stuck = new Set(performAll(model, [...others, ...hopeful], () => {}))
      const landing = hopeful.filter((pending) => !stuck.has(pending))
      if (landing.length === hopeful.length) break
      hopeful = landing
    }
    return hopeful
  }
}

/** Performs what can be performed until nothing more can. @returns what is left, in the same order. */
function performAll(
  model: Model,
  pending: readonly Pending[],
  done: (performed: Pending) => void,
): Pending[] {
  let left = [...pending]
  for (;;) {
    const blocked = left.filter((each) => {
      if (!model.perform(each)) return true
      done(each)
      return false
    })
    if (blocked.length === left.length) return left
    left = blocked
  }
}

/** Who stands where. Things are named by the key of their row, new directories by `newDirId`. */
class Model {
  readonly #places = new Map<string, Place>()
  readonly #occupied = new Set<string>()
  readonly #childCount = new Map<DirId, number>()
  readonly #dirs = new Set<DirId>([ROOT])

  constructor(rows: Iterable<SyncedRow>, dirs: Iterable<DirId>) {
    for (const dir of dirs) this.#dirs.add(dir)
    for (const row of rows) this.enter(row.key, { dir: row.dir, name: row.localName })
  }

  clone(): Model {
    const copy = new Model([], this.#dirs)
    for (const [id, place] of this.#places) copy.enter(id, place)
    return copy
  }

  enter(id: string, place: Place): void {
    this.#places.set(id, place)
    this.#occupied.add(placeText(place))
    this.#childCount.set(place.dir, (this.#childCount.get(place.dir) ?? 0) + 1)
  }

  leave(id: string): void {
    const place = this.#places.get(id)!
    this.#places.delete(id)
    this.#occupied.delete(placeText(place))
    this.#childCount.set(place.dir, this.#childCount.get(place.dir)! - 1)
  }

  lift(id: string): void {
    this.leave(id)
    this.enter(id, { dir: STAGING_DIR, name: id })
  }

  canEnter(to: Place): boolean {
    return this.#dirs.has(to.dir) && !this.#occupied.has(placeText(to))
  }

  perform({ type, item, to }: Pending): boolean {
    if (type === 'rmdir') {
      const id = item.row!.key
      if (!this.#dirs.has(id) || (this.#childCount.get(id) ?? 0) > 0) return false
      this.#dirs.delete(id)
      this.leave(id)
      return true
    }
    if (!this.canEnter(to!)) return false
    if (type === 'mkdir') {
      this.#dirs.add(newDirId(item.key))
      this.enter(newDirId(item.key), to!)
      return true
    }
    const id = item.row!.key
    if (this.#isBelow(to!.dir, id)) return false
    this.leave(id)
    this.enter(id, to!)
    return true
  }

  #isBelow(dir: DirId, id: string): boolean {
    for (let at: DirId | undefined = dir; at !== undefined; at = this.#places.get(at)?.dir) {
      if (at === id) return true
    }
    return false
  }
}

const placeText = ({ dir, name }: Place): string => `${dir}/${name}`
