import type { EntryKey, UserOp } from '@tidemark/engine'
import { type NodeId, PathError, ROOT } from '@tidemark/protocol'
import { freeName } from './free-names.js'
import type { PushContext } from './push-context.js'

/**
 * Writes that the directories above a place stand where this disk has them.
 *
 * After the database began anew the tree may show one of them elsewhere: below something that was moved into
 * it here. Such a move can be told only with the place that it counted on, and what others did cannot be put
 * on disk before. Where another thing has its name there it takes another one.
 *
 * @param moved What was moved, and was refused because the tree shows the place below it.
 * @param dir What it was moved into.
 * @returns whether anything was written.
 */
export async function assertPlacesAbove(
  moved: EntryKey,
  dir: EntryKey,
  { rows, space }: Pick<PushContext, 'rows' | 'space'>,
): Promise<boolean> {
  if (!(await isBelow(dir, moved, space))) return false
  const ops: (UserOp & { type: 'move' })[] = []
  for (let key = dir; key !== ROOT; ) {
    const [row] = await rows.getMany([key])
    const shown = await space.synced.entry(key)
    if (!row || !shown) return false
    if (shown.parent !== row.dir) {
      const node = row.dir as string as NodeId
      const isTaken = async (name: string): Promise<boolean> =>
        (await space.synced.lookup(node, name)) !== undefined
      const name = await freeName(row.entry.name, isTaken)
      ops.push({ type: 'move', entry: key, parent: { node }, name })
    }
    key = row.dir
  }
  if (ops.length === 0) return false
  try {
    await space.commit(ops, async () => ({ ops: [], touch: ops.map(({ entry }) => entry) }))
    return true
  } catch (error) {
    // It is no more, perhaps.
    if (error instanceof PathError) return false
    throw error
  }
}

async function isBelow(dir: EntryKey, above: EntryKey, { synced }: PushContext['space']): Promise<boolean> {
  for (let key: EntryKey | undefined = dir; key !== undefined && key !== ROOT; ) {
    if (key === above) return true
    key = (await synced.entry(key))?.parent as EntryKey | undefined
  }
  return false
}
