import type { EntryKey } from '@tidemark/engine'
import type { Item } from './item.js'

/**
 * Groups of entries that must reach the disk together: those that share a node, and those where one
 * takes over the other's row. Only groups of two or more in which something stands on disk; new entries
 * alone wait for nobody.
 */
export function linkedKeys(items: readonly Item[]): ReadonlyMap<EntryKey, readonly EntryKey[]> {
  const groups = new Map<EntryKey, EntryKey[]>()
  const merge = (a: EntryKey, b: EntryKey) => {
    const into = groups.get(a) ?? [a]
    const from = groups.get(b) ?? [b]
    if (into === from) {
      groups.set(a, into)
      return
    }
    if (from !== into) into.push(...from)
    for (const key of into) groups.set(key, into)
  }
  const present = new Set(items.map(({ key }) => key))
  const firstOf = new Map<string, EntryKey>()
  for (const { key, row, want, nodes } of items) {
    if (row && row.key !== key && present.has(row.key)) merge(key, row.key)
    if (want?.kind === 'dir' && (!row || row.key === key)) continue
    for (const { id } of nodes) {
      const first = firstOf.get(id)
      if (first === undefined) firstOf.set(id, key)
      else merge(first, key)
    }
  }
  const withRow = new Set(items.filter(({ row }) => row).map(({ key }) => key))
  return new Map([...groups].filter(([, group]) => group.some((key) => withRow.has(key))))
}
