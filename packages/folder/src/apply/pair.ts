import type { EntryKey } from '@tidemark/engine'
import type { SyncedRow } from '../rows.js'
import { compareText, type Item } from './item.js'

/**
 * Lets entries that appear take over what entries that go away leave on disk: a merged directory whose
 * representative changed, a conflict copy that became a file of its own, a file with equal bytes. What
 * would be fetched or moved child by child is then a rename, or nothing. Pure; the order of `items` does
 * not matter.
 */
export function pairRows(items: readonly Item[]): Item[] {
  const sorted = [...items].sort((a, b) => compareText(a.key, b.key))
  const free = new Map<EntryKey, SyncedRow>()
  for (const { key, row, want } of sorted) if (row && !want) free.set(key, row)
  if (free.size === 0) return sorted
  const taken = new Map<EntryKey, SyncedRow>()
  const candidates = new Candidates(free.values())
  // Closer relations first, over all items: a stranger never takes a row that a relative could have.
  for (const relation of [sameNodes, samePlace, sameBytes]) {
    for (const item of sorted) {
      if (item.row || !item.want || taken.has(item.key)) continue
      const row = candidates.of(item).find((each) => relation(item, each))
      if (!row) continue
      free.delete(row.key)
      candidates.take(row)
      taken.set(item.key, row)
    }
  }
  return sorted.map((item) => {
    const row = taken.get(item.key)
    if (row) return { ...item, row }
    return item.row && !item.want && !free.has(item.key) ? { ...item, row: undefined } : item
  })
}

/** Directories by each node behind them; files and links by what they hold. */
class Candidates {
  readonly #byMark = new Map<string, SyncedRow[]>()

  constructor(rows: Iterable<SyncedRow>) {
    for (const row of rows) {
      for (const mark of marksOf(row.entry)) {
        const group = this.#byMark.get(mark)
        if (group) group.push(row)
        else this.#byMark.set(mark, [row])
      }
    }
  }

  of({ want }: Item): SyncedRow[] {
    const groups = marksOf(want!).map((mark) => this.#byMark.get(mark) ?? [])
    return groups.length === 1 ? groups[0]! : groups.flat()
  }

  take(row: SyncedRow): void {
    for (const mark of marksOf(row.entry)) {
      const group = this.#byMark.get(mark)!
      group.splice(group.indexOf(row), 1)
    }
  }
}

function marksOf({ kind, version, backing, parent, name }: NonNullable<Item['want']>): string[] {
  if (version) return [`${kind}:${version.root}`]
  return [...backing.map((node) => `${kind}:${node}`), `${kind}:${parent}/${name}`]
}

const sameNodes = ({ want }: Item, row: SyncedRow): boolean =>
  row.entry.backing.some((node) => want!.backing.includes(node))

const samePlace = ({ want }: Item, row: SyncedRow): boolean =>
  row.entry.parent === want!.parent && row.entry.name === want!.name

/** Not for directories: what is below would have to move out. */
const sameBytes = ({ want }: Item, row: SyncedRow): boolean =>
  want!.version !== undefined && row.entry.version?.root === want!.version.root
