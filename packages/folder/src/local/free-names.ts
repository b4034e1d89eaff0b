import { entryKey, type SpaceBinding } from '@tidemark/engine'
import type { Planned } from './commit-rows.js'
import { numbered } from './entry-names.js'

/**
 * Gives creations and moves another name in the space where the synced tree shows something under theirs
 * that the disk does not show there (yet). The disk follows: its names are compared after the commit.
 */
export async function withFreeNames(
  { synced }: Pick<SpaceBinding, 'synced'>,
  planned: readonly Planned[],
): Promise<Planned[]> {
  const leaving = new Set(
    planned.flatMap(({ item }) => (item.type === 'move' || item.type === 'delete' ? item.row.key : [])),
  )
  const taken = new Set<string>()
  const result: Planned[] = []
  for (const entry of planned) {
    const { item } = entry
    if (item.type !== 'create' && item.type !== 'move') {
      result.push(entry)
      continue
    }
    const { node, ref } = item.dir
    const isTaken = async (name: string): Promise<boolean> => {
      if (taken.has(`${node ?? ref}/${name}`)) return true
      const occupant = node === undefined ? undefined : await synced.lookup(node, name)
      return occupant !== undefined && !leaving.has(entryKey(occupant))
    }
    const entryName = await freeName(item.entryName, isTaken)
    taken.add(`${node ?? ref}/${entryName}`)
    result.push({ ...entry, item: { ...item, entryName } })
  }
  return result
}

/** @returns `name`, or the first `name (2)`, `name (3)` … that is not taken. */
export async function freeName(name: string, isTaken: (name: string) => Promise<boolean>): Promise<string> {
  let free = name
  for (let n = 2; await isTaken(free); n++) free = numbered(name, n)
  return free
}
