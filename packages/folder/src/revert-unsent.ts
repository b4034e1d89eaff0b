import type { EntryKey } from '@tidemark/engine'
import { lstatBelow, mustBeSystemError } from './apply/disk.js'
import { changeRows } from './change-rows.js'
import { cannotRevert, discard } from './discard.js'
import { sameIdentity } from './local/identity.js'
import type { Item } from './local/item.js'
import { makeRow } from './local/make-row.js'
import type { PushContext } from './local/push-context.js'
import type { FileStat } from './ports/file-system.js'
import type { Problem, SyncedRow } from './rows.js'
import type { RowChange, RowsStore } from './rows-store.js'

/**
 * Throws local changes away that this device may not send. What was made or edited goes to the trash, what
 * was moved is known at its new place, and rows of the rest are removed: the remote side does the rest, as
 * if others had changed it. An item that is not as it was found any more is left as it is.
 *
 * @param items Those above others first.
 * @param trash Absolute path.
 * @returns what could not be moved to the trash: it is new from now on; and what could not be looked at.
 */
export async function revertUnsent(
  context: PushContext,
  items: readonly Item[],
  trash: string,
): Promise<readonly Problem[]> {
  const { space } = context
  const plan = await planOf(context, items)
  // One batch: half of it, after a crash, would leave rows that look like local changes.
  await space.touch([...plan.changes.keys()])
  await changeRows(context, [...plan.changes.values()], { sync: true })
  return [...plan.problems, ...(await discard(context, plan.discarded, trash))]
}

interface Plan {
  readonly changes: ReadonlyMap<EntryKey, RowChange>
  /** Paths whose things go to the trash. */
  readonly discarded: readonly string[]
  /** Of what the disk does not let be looked at: it stays as it is. */
  readonly problems: readonly Problem[]
}

async function planOf({ rows, files, directory }: PushContext, items: readonly Item[]): Promise<Plan> {
  const changes = new Map<EntryKey, RowChange>()
  const discarded: string[] = []
  const problems: Problem[] = []
  const drop = (row: SyncedRow): void => void changes.set(row.key, { before: row, after: undefined })
  for (const item of items) {
    let stat: FileStat | undefined
    try {
      stat = lstatBelow(files, directory, item.type === 'delete' ? item.top.path : item.path)
    } catch (error) {
      problems.push(cannotRevert(item.path, mustBeSystemError(error)))
      continue
    }
    if ('row' in item && !(await isCurrent(rows, item.row))) continue
    switch (item.type) {
      case 'create':
        if (stat && sameIdentity(stat, item.stat)) discarded.push(item.path)
        break
      case 'verify':
        if (stat && !sameIdentity(stat, item.stat)) break
        if (stat) discarded.push(item.path)
        drop(item.row)
        break
      case 'delete':
        if (item.isDisplaced || !stat) drop(item.row)
        break
      case 'move':
        if (!stat || !sameIdentity(stat, item.stat)) break
        if (item.dir.key !== undefined && holdsSame(item.row, stat)) {
          const racy = item.row.racy === true
          const after = makeRow(item.row.entry, item.dir.key, item.name, stat, racy)
          changes.set(item.row.key, { before: item.row, after })
        } else {
          discarded.push(item.path)
          for (const row of await withAllBelow(rows, item.row)) drop(row)
        }
        break
      case 'rebind':
        break
      default:
        item satisfies never
    }
  }
  return { changes, discarded, problems }
}

async function isCurrent(rows: RowsStore, row: SyncedRow): Promise<boolean> {
  return JSON.stringify(await rows.get(row.key)) === JSON.stringify(row)
}

/** A rename leaves bytes and their time alone. */
const holdsSame = (row: SyncedRow, stat: FileStat): boolean =>
  stat.kind === 'dir' || (stat.size === row.fingerprint.size && stat.mtimeNs === row.fingerprint.mtimeNs)

async function withAllBelow(rows: RowsStore, row: SyncedRow): Promise<SyncedRow[]> {
  const all = [row]
  for (let at = 0; at < all.length; at++) {
    if (all[at]!.entry.kind !== 'dir') continue
    for (const child of (await rows.inDirectory(all[at]!.key)).values()) all.push(child)
  }
  return all
}
