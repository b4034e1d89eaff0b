import type { EntryKey } from '@tidemark/engine'
import type { SyncedRow } from '../rows.js'
import { compareText, type Item } from './item.js'
import { type Happening, idOf, type Pending, PlaceModel } from './place-model.js'
import type { PlannedPlace, Step } from './step.js'

/**
 * The part of a plan that changes places: a model of who stands where, and a worklist that performs what
 * can be performed. Where only a cycle is left (a swap, a directory that moves below one that moves out
 * of it), one member is lifted into staging, which frees its place; it lands as soon as it can. Nothing
 * is lifted that could not land.
 */
export class Moves {
  readonly #model: PlaceModel
  readonly #pending: Pending[] = []
  readonly #steps: Step[] = []

  constructor(items: readonly Item[], dirs: ReadonlyMap<EntryKey, SyncedRow>, settled: readonly SyncedRow[]) {
    const rows = new Map<EntryKey, SyncedRow>()
    for (const row of dirs.values()) rows.set(row.key, row)
    for (const row of settled) rows.set(row.key, row)
    for (const { row } of items) if (row) rows.set(row.key, row)
    this.#model = new PlaceModel(rows.values(), dirs.keys())
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
    const work = new Worklist(this.#model, this.#pending, ({ type, item, to }) => {
      if (type === 'rmdir') this.#steps.push({ type, item })
      else if (type === 'mkdir') this.#steps.push({ type, item, to: to! })
      else {
        this.#steps.push({ type: lifted.has(item.key) ? 'land' : 'move', item, to: to! })
        moved.set(item.key, to!)
      }
    })
    work.run()
    for (const { item, to } of liftable(this.#model, work.left())) {
      if (moved.has(item.key)) continue
      lifted.add(item.key)
      this.#steps.push({ type: 'lift', item, to: to! })
      work.wake(this.#model.lift(item.row!.key))
      work.run()
    }
    return { steps: this.#steps, left: work.left().map(({ item }) => item.key), moved }
  }
}

/** Performs what can be performed until nothing more can: what is blocked is looked at again when that may be over. */
class Worklist {
  readonly #left: Set<Pending>
  readonly #queue: Pending[]
  readonly #waiting = new Map<Happening, Pending[]>()

  constructor(
    private readonly model: PlaceModel,
    pending: readonly Pending[],
    private readonly onPerformed: (performed: Pending) => void = () => {},
  ) {
    this.#left = new Set(pending)
    this.#queue = [...pending]
  }

  run(): void {
    // It grows meanwhile.
    for (const each of this.#queue) if (this.#left.has(each)) this.#attempt(each)
    this.#queue.length = 0
  }

  #attempt(pending: Pending): void {
    const awaited = this.model.waitsFor(pending)
    if (awaited) {
      for (const happening of awaited) {
        const others = this.#waiting.get(happening)
        if (others) others.push(pending)
        else this.#waiting.set(happening, [pending])
      }
      return
    }
    this.#left.delete(pending)
    const happened = this.model.perform(pending)
    this.onPerformed(pending)
    this.wake(happened)
  }

  wake(happened: readonly Happening[]): void {
    for (const happening of happened) {
      for (const each of this.#waiting.get(happening) ?? []) this.#queue.push(each)
      this.#waiting.delete(happening)
    }
  }

  /** What is not performed, in the order in which it was given. */
  left(): Pending[] {
    return [...this.#left]
  }
}

/** The moves that would all end if each of them were lifted at once, in their order. */
function liftable(model: PlaceModel, pending: readonly Pending[]): readonly Pending[] {
  const others = pending.filter(({ type }) => type !== 'move')
  const excluded = new Set<Pending>()
  for (;;) {
    const stuck = stuckForEver(model, pending, excluded)
    const hopeful = pending.filter((each) => each.type === 'move' && !stuck.has(each))
    if (hopeful.length === 0) return []
    const trial = model.clone()
    for (const { item } of hopeful) trial.lift(item.row!.key)
    const work = new Worklist(trial, [...others, ...hopeful])
    work.run()
    const failed = work.left().filter(({ type }) => type === 'move')
    if (failed.length === 0) return hopeful
    // Two that would land in each other: the one that came second stays where it is.
    for (const each of failed) excluded.add(each)
  }
}

/** What stays blocked, whatever is lifted, by what does not move at all, or by something that is itself stuck. */
function stuckForEver(
  model: PlaceModel,
  pending: readonly Pending[],
  excluded: ReadonlySet<Pending>,
): ReadonlySet<Pending> {
  const byId = new Map(pending.map((each) => [idOf(each), each]))
  const stuck = new Set(excluded)
  /** By what may make way: who is blocked, and by how many more of which one is enough. */
  const dependents = new Map<Pending, { readonly of: Pending; hopes: number }[]>()
  for (const each of pending) {
    for (const group of model.obstacles(each)) {
      const helpers = group.flatMap((id) => byId.get(id) ?? [])
      const dependent = { of: each, hopes: helpers.length }
      if (helpers.length === 0) stuck.add(each)
      for (const helper of helpers) {
        const others = dependents.get(helper)
        if (others) others.push(dependent)
        else dependents.set(helper, [dependent])
      }
    }
  }
  // It grows meanwhile.
  for (const each of stuck) {
    for (const dependent of dependents.get(each) ?? []) if (--dependent.hopes === 0) stuck.add(dependent.of)
  }
  return stuck
}
