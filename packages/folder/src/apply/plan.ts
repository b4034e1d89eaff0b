import type { EntryKey } from '@tidemark/engine'
import { ROOT } from '@tidemark/protocol'
import type { SyncedRow } from '../rows.js'
import { wantedLocalName } from '../wanted-name.js'
import { linkedKeys } from './components.js'
import { compareText, contentDiffers, executableDiffers, type Item, isContent } from './item.js'
import { Moves } from './plan-moves.js'
import { type DirId, newDirId, type PlannedPlace, type Step } from './step.js'

export interface PlanInput {
  /** After `pairRows`. */
  readonly items: readonly Item[]
  /** Rows of all directories that the items stand in, are, or want to stand in; only those sound on disk. */
  readonly dirs: ReadonlyMap<EntryKey, SyncedRow>
  /** Rows that stay where they are and stand at a place, or in a directory, that an item needs. */
  readonly settled: readonly SyncedRow[]
  /** Items that must not be touched now: their bytes are not here, or the disk shows something else. */
  readonly blocked: ReadonlySet<EntryKey>
}

export interface Plan {
  readonly steps: readonly Step[]
  /** Items that wait for something, sorted. */
  readonly deferred: readonly EntryKey[]
}

/**
 * Orders the effects that bring the disk from the rows to what is wanted. Pure, and the same for any
 * order of the items.
 *
 * An item whose directory neither stands nor can be made waits; so does one whose place is held by
 * something that stays. An item that waits with something on disk makes those linked to it wait: taking
 * over a node's registers while an old version still stands under another of its names would let a later
 * edit there cover what its user never saw.
 */
export function plan(input: PlanInput): Plan {
  const groups = linkedKeys(input.items)
  const standing = new Set(input.items.filter(({ row }) => row).map(({ key }) => key))
  const blocked = new Set(input.blocked)
  for (;;) {
    const attempt = planOnce(input, blocked)
    const before = blocked.size
    for (const key of attempt.deferred) {
      if (standing.has(key)) for (const other of groups.get(key) ?? []) blocked.add(other)
    }
    if (blocked.size === before) return attempt
  }
}

function planOnce(input: PlanInput, blocked: ReadonlySet<EntryKey>): Plan {
  const items = [...input.items].sort((a, b) => compareText(a.key, b.key))
  const places = new WantedPlaces(items, input.dirs, blocked)
  const moves = new Moves(items, input.dirs, input.settled)
  const deferred = new Set<EntryKey>()
  const contents: { item: Item; to: PlannedPlace }[] = []
  for (const item of items) {
    const { key, row, want } = item
    if (blocked.has(key)) {
      deferred.add(key)
      continue
    }
    if (!want) {
      if (!row) moves.note(item, undefined)
      else if (row.entry.kind === 'dir') moves.rmdir(item)
      else moves.remove(item)
      continue
    }
    const to = places.of(item)
    if (!to) {
      deferred.add(key)
      continue
    }
    if (row) {
      if (!moves.standsAt(row, to)) moves.move(item, to)
      else contents.push({ item, to })
    } else if (isContent(want)) contents.push({ item, to })
    else moves.mkdir(item, to, places.depthOf(item))
  }
  const { steps, left, moved } = moves.run()
  for (const key of left) deferred.add(key)
  for (const item of items) {
    const to = moved.get(item.key)
    if (to) contents.push({ item, to })
  }
  contents.sort((a, b) => compareText(a.item.key, b.item.key))
  const creations: Step[] = []
  for (const { item, to } of contents) {
    const { row } = item
    const want = item.want!
    if (!row) {
      if (moves.claim(to)) creations.push({ type: 'create', item, to })
      else deferred.add(item.key)
    } else if (contentDiffers(row, want)) creations.push({ type: 'replace', item, to })
    else if (executableDiffers(row, want)) creations.push({ type: 'chmod', item, to })
    else if (!moved.has(item.key)) creations.push({ type: 'note', item, to })
  }
  return { steps: [...steps, ...creations], deferred: [...deferred].sort(compareText) }
}

/** Where items want to stand, in terms of directories on disk. */
class WantedPlaces {
  readonly #byKey: ReadonlyMap<EntryKey, Item>

  constructor(
    items: readonly Item[],
    private readonly dirs: ReadonlyMap<EntryKey, SyncedRow>,
    private readonly blocked: ReadonlySet<EntryKey>,
  ) {
    this.#byKey = new Map(items.map((item) => [item.key, item]))
  }

  of({ row, want }: Item): PlannedPlace | undefined {
    const dirKey = want!.parent
    const dir = this.#dirId(dirKey)
    return dir === undefined ? undefined : { dir, dirKey, name: wantedLocalName(row, want!) }
  }

  #dirId(key: EntryKey): DirId | undefined {
    if (key === ROOT) return ROOT
    const item = this.#byKey.get(key)
    if (!item || (this.blocked.has(key) && item.row?.key === key)) return this.dirs.has(key) ? key : undefined
    if (!item.want || this.blocked.has(key)) return undefined
    return item.row ? item.row.key : newDirId(key)
  }

  depthOf(item: Item): number {
    let depth = 0
    for (let at: Item | undefined = item; at?.want; at = this.#byKey.get(at.want.parent)) {
      if (++depth > this.#byKey.size) break
    }
    return depth
  }
}
