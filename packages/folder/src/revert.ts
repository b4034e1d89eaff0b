import { TransportError } from '@tidemark/protocol'
import { filter, firstValueFrom, type Observable } from 'rxjs'
import { settleUnderWay, Unsettled } from './apply/index.js'
import type { ApplyContext } from './apply-context.js'
import { discard } from './discard.js'
import { type Hold, type Unlike, unlikeRows } from './holds.js'
import type { Item } from './local/item.js'
import type { PushContext } from './local/push-context.js'
import type { Unsent } from './local/unsent.js'
import { revertUnsent } from './revert-unsent.js'
import { acceptRoot, checkRoot, type RootCheckOptions, rebaseRoot } from './root-check.js'
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
  /** What is missing, and was not noted yet: it may turn up elsewhere. */
  readonly missing: () => Promise<readonly Item[]>
}

export interface Reverted {
  /** Nothing is held any more. */
  readonly isReleased: boolean
  /** What the disk did not let be moved away, or looked at: it stays, and is not sent. */
  readonly problems: readonly Problem[]
}

const NOTHING_RELEASED: Reverted = { isReleased: false, problems: [] }

/**
 * Drops what is held, or what may not be sent. What is held stays so as long as something of it cannot be looked at,
 * or moved away.
 * @throws system errors: what is half done cannot be settled durably now, and nothing was dropped.
 */
export async function revertLocal(options: RevertOptions): Promise<Reverted> {
  const { push, apply, rootCheck, hold, unsent } = options
  if (hold?.kind === 'folder') {
    // Of a folder that this database has not bound nothing can be dropped.
    if (!(await rebaseRoot(rootCheck))) return NOTHING_RELEASED
    const problems = await revertHeld(push, hold, apply)
    // Last: until then nothing of it is sent, whatever ends this.
    const isReleased = problems.length === 0 && (await acceptRoot(rootCheck)) !== undefined
    return { isReleased, problems }
  }
  if (!hold && unsent.size === 0) return NOTHING_RELEASED
  // The next turn holds it for that: what is missing now was decided by nobody.
  if ('kind' in (await checkRoot(rootCheck))) return NOTHING_RELEASED
  if (hold) {
    const problems = await revertHeld(push, hold, apply)
    return { isReleased: problems.length === 0, problems }
  }
  await settleUnderWay(apply)
  const items = [...unsent.list(), ...(await options.missing())]
  const problems = await revertUnsent(push, items, apply.trash)
  unsent.clear()
  return { isReleased: true, problems }
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
 *
 * @returns what could not be looked at: then nothing was dropped; or what could not be moved to the trash: its row stays.
 */
async function revertHeld(
  context: PushContext,
  hold: Hold,
  apply: ApplyContext,
): Promise<readonly Problem[]> {
  const { rows, files, directory, space } = context
  // What a turn that failed has left half done is unlike its row too, and none of it is the user's doing.
  await settleUnderWay(apply)
  const { keys: underWay } = await Unsettled.read(apply)
  const unlike: Unlike[] = []
  for await (const page of unlikeRows(rows, files, directory)) {
    const local = page.filter(({ row }) => !underWay.has(row.key))
    unlike.push(...local.filter(({ stat }) => stat === undefined || hold.kind === 'folder'))
  }
  // Without what may be missing too the rest of a hold could be dropped, and that pass for a few deletions later.
  const unseen = unlike.flatMap(({ path, errno }) => (errno === undefined ? [] : notSeen(path, errno)))
  if (unseen.length > 0) return unseen
  const changed = unlike.flatMap(({ path, stat }) => (stat ? [path] : []))
  // Before their rows go: what has none looks new, and would stay after a crash.
  const problems = await discard(context, changed, apply.trash)
  const kept = new Set(problems.map(({ path }) => path))
  const dropped = unlike.filter(({ path }) => !kept.has(path))
  // One batch: half of it, after a crash, would leave rows that look like deletions.
  await space.touch(dropped.map(({ row }) => row.key))
  await space.writeRows(rowOps(dropped.map(({ row }) => ({ before: row, after: undefined }))), { sync: true })
  return problems
}

const notSeen = (path: string, errno: string): Problem => ({
  path,
  cause: 'cannot-revert',
  detail: `the file system does not let it be looked at (${errno}): nothing was reverted`,
  fix: 'check permissions, then revert again',
})
