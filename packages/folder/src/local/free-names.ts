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
    let name = item.entryName
    for (let n = 2; ; n++) {
      const occupant = node === undefined ? undefined : await synced.lookup(node, name)
      const isFree = !occupant || leaving.has(entryKey(occupant))
      if (isFree && !taken.has(`${node ?? ref}/${name}`)) break
      name = numbered(item.entryName, n)
    }
    taken.add(`${node ?? ref}/${name}`)
    result.push({ ...entry, item: { ...item, entryName: name } })
  }
  return result
}
