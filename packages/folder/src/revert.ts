import { Trash } from './apply/trash.js'
import { type Hold, type Unlike, unlikeRows } from './holds.js'
import type { PushContext } from './local/push-context.js'
import { rowOps } from './rows-store.js'

/**
 * Drops the local changes that a hold is about: what is gone comes back from the space. Where the whole
 * folder was held, files that are not as they were go to the trash, and come back too. What is new stays.
 *
 * The rows of what must come back are removed and their entries touched; the remote side does the rest.
 */
export async function revertHeld(context: PushContext, hold: Hold, trashDirectory: string): Promise<void> {
  const { rows, files, directory, space, clock, onEvent } = context
  const dropped: Unlike[] = []
  for await (const page of unlikeRows(rows, files, directory)) {
    dropped.push(...page.filter(({ stat }) => stat === undefined || hold.kind === 'folder'))
  }
  // One batch: half of it, after a crash, would leave rows that look like deletions.
  await space.touch(dropped.map(({ row }) => row.key))
  await space.writeRows(rowOps(dropped.map(({ row }) => ({ before: row, after: undefined }))), { sync: true })
  const trash = new Trash(files, trashDirectory, () => clock.nowMs())
  for (const { path, stat } of dropped) {
    if (!stat) continue
    const place = trash.placeFor(path)
    files.rename(`${directory}/${path}`, place)
    onEvent({ type: 'applied', path, detail: `reverted; the local version is now ${place}` })
  }
}
