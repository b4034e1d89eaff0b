import { TransportError } from '@tidemark/protocol'
import { filter, firstValueFrom, type Observable } from 'rxjs'
import { Trash } from './apply/trash.js'
import type { ApplyContext } from './apply-context.js'
import { type Hold, type Unlike, unlikeRows } from './holds.js'
import type { PushContext } from './local/push-context.js'
import type { Unsent } from './local/unsent.js'
import { revertUnsent } from './revert-unsent.js'
import { acceptRoot, type RootCheckOptions } from './root-check.js'
import type { Problem } from './rows.js'
import { rowOps } from './rows-store.js'
import type { Wakeups } from './wakeups.js'

/** How long `mustBeBack` waits: the loop may be in an upload that waits for the hub. */
const BACK_WAIT_MS = 10_000

export interface RevertOptions {
  readonly push: PushContext
  readonly apply: ApplyContext
  readonly rootCheck: RootCheckOptions
  readonly hold: Hold | undefined
  readonly unsent: Unsent
}

/** Drops what is held, or what may not be sent. @returns whether there was anything. */
export async function revertLocal(options: RevertOptions): Promise<boolean> {
  const { push, apply, rootCheck, hold, unsent } = options
  if (hold) {
    // Of a folder that this database has not bound nothing can be dropped.
    const isBound = (await rootCheck.rows.root()) !== undefined
    if (hold.kind === 'folder' && !(isBound && (await acceptRoot(rootCheck)))) return false
    await revertHeld(push, hold, apply.trash)
    return true
  }
  if (unsent.size === 0) return false
  await revertUnsent(push, unsent.list(), apply.trash)
  unsent.clear()
  return true
}

export interface TurnsOfLoop {
  /** Emits at the end of each turn. */
  readonly turns: Observable<unknown>
  /** Whether the first turn after the revert has ended. */
  hasEnded(): boolean
  problems(): readonly Problem[]
  readonly wakeups: Wakeups
}

/**
 * Without a hub: waits until what is on this device is back.
 * @throws {TransportError} something is not, or cannot be told yet.
 */
export async function mustBeBack({ turns, hasEnded, problems, wakeups }: TurnsOfLoop): Promise<void> {
  const ended = firstValueFrom(turns.pipe(filter(hasEnded)), { defaultValue: undefined })
  let cancel = (): void => undefined
  const late = new Promise<void>((resolve) => {
    cancel = wakeups.after(BACK_WAIT_MS, resolve)
  })
  await Promise.race([ended, late])
  cancel()
  const waiting = problems().filter(({ cause }) => cause === 'waiting-for-hub').length
  if (hasEnded() && waiting === 0) return
  const what = hasEnded() ? `${waiting} file(s), whose bytes are not here, come` : 'what is not here comes'
  throw new TransportError(`reverted; ${what} back when the hub can be reached`)
}

/**
 * Drops the local changes that a hold is about: what is gone comes back from the space. Where the whole
 * folder was held, files that are not as they were go to the trash, and come back too. What is new stays.
 *
 * The rows of what must come back are removed and their entries touched; the remote side does the rest.
 */
async function revertHeld(context: PushContext, hold: Hold, trashDirectory: string): Promise<void> {
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
