import { ROOT } from '@tidemark/protocol'
import { STAGING_DIR, type SyncedRow } from '../rows.js'
import type { Item } from './item.js'
import { type DirId, newDirId, type Place, type PlannedPlace } from './step.js'

/** A change of places that is to be performed. */
export interface Pending {
  readonly type: 'mkdir' | 'move' | 'rmdir'
  readonly item: Item
  /** Not of `rmdir`. */
  readonly to?: PlannedPlace
  readonly depth: number
}

/** What it changes the place of: the key of the row, or the id of the new directory. */
export const idOf = ({ type, item }: Pending): string =>
  type === 'mkdir' ? newDirId(item.key) : item.row!.key

/** Something that others may wait for: a place is free, a directory is empty, or made, or left where it was. */
export type Happening = string

const freed = (place: Place): Happening => `freed ${placeText(place)}`
const emptied = (dir: DirId): Happening => `emptied ${dir}`
const made = (dir: DirId): Happening => `made ${dir}`
const left = (id: string): Happening => `left ${id}`

/** Who stands where. Things are named by the key of their row, new directories by `newDirId`. */
export class PlaceModel {
  readonly #places = new Map<string, Place>()
  readonly #occupants = new Map<string, string>()
  readonly #children = new Map<DirId, Set<string>>()
  readonly #dirs = new Set<DirId>([ROOT])

  constructor(rows: Iterable<SyncedRow>, dirs: Iterable<DirId>) {
    for (const dir of dirs) this.#dirs.add(dir)
    for (const row of rows) this.enter(row.key, { dir: row.dir, name: row.localName })
  }

  clone(): PlaceModel {
    const copy = new PlaceModel([], this.#dirs)
    for (const [id, place] of this.#places) copy.enter(id, place)
    return copy
  }

  enter(id: string, place: Place): void {
    this.#places.set(id, place)
    this.#occupants.set(placeText(place), id)
    const children = this.#children.get(place.dir)
    if (children) children.add(id)
    else this.#children.set(place.dir, new Set([id]))
  }

  leave(id: string): Happening[] {
    const place = this.#places.get(id)!
    this.#places.delete(id)
    this.#occupants.delete(placeText(place))
    const children = this.#children.get(place.dir)!
    children.delete(id)
    const happened = [freed(place), left(id)]
    return children.size > 0 ? happened : [...happened, emptied(place.dir)]
  }

  lift(id: string): Happening[] {
    const happened = this.leave(id)
    this.enter(id, { dir: STAGING_DIR, name: id })
    return happened
  }

  canEnter(to: Place): boolean {
    return this.#dirs.has(to.dir) && !this.#occupants.has(placeText(to))
  }

  /** What it waits for, one of these (none: for ever); `undefined`: it can be performed. */
  waitsFor({ type, item, to }: Pending): readonly Happening[] | undefined {
    if (type === 'rmdir') {
      const id = item.row!.key
      if (!this.#dirs.has(id)) return []
      return this.#childrenOf(id).size > 0 ? [emptied(id)] : undefined
    }
    if (!this.#dirs.has(to!.dir)) return [made(to!.dir)]
    if (this.#occupants.has(placeText(to!))) return [freed(to!)]
    if (type === 'mkdir') return undefined
    return this.#between(to!.dir, item.row!.key)?.map(left)
  }

  /** @param pending It waits for nothing. */
  perform(pending: Pending): Happening[] {
    const { type, to } = pending
    const id = idOf(pending)
    if (type === 'rmdir') {
      this.#dirs.delete(id)
      return this.leave(id)
    }
    if (type === 'mkdir') {
      this.#dirs.add(id)
      this.enter(id, to!)
      return [made(id)]
    }
    const happened = this.leave(id)
    this.enter(id, to!)
    return happened
  }

  /** What must be made, or go from where it is, before it can be performed: of each group one. */
  obstacles({ type, item, to }: Pending): readonly (readonly string[])[] {
    if (type === 'rmdir') {
      const id = item.row!.key
      return this.#dirs.has(id) ? [...this.#childrenOf(id)].map((child) => [child]) : [[]]
    }
    const groups: (readonly string[])[] = []
    if (!this.#dirs.has(to!.dir)) groups.push([to!.dir])
    const occupant = this.#occupants.get(placeText(to!))
    if (occupant !== undefined) groups.push([occupant])
    const between = type === 'move' ? this.#between(to!.dir, item.row!.key) : undefined
    return between ? [...groups, between] : groups
  }

  #childrenOf(dir: DirId): ReadonlySet<string> {
    return this.#children.get(dir) ?? new Set()
  }

  /** The directories from `dir` up to what stands in `id`; `undefined`: it is not below that. */
  #between(dir: DirId, id: string): string[] | undefined {
    const between: string[] = []
    for (let at: DirId | undefined = dir; at !== undefined; at = this.#places.get(at)?.dir) {
      if (at === id) return between
      between.push(at)
    }
    return undefined
  }
}

const placeText = ({ dir, name }: Place): string => `${dir}/${name}`
