import { dirname, join } from 'node:path'
import type { EntryKey, Materialised } from '@tidemark/engine'
import { ROOT } from '@tidemark/protocol'
import type { ApplyContext } from '../apply-context.js'
import { changeRows } from '../change-rows.js'
import { type Problem, STAGING_DIR, type SyncedRow } from '../rows.js'
import type { RowChange } from '../rows-store.js'
import { removeAbandoned } from './abandoned.js'
import { isBeside, isInode, lstatBelow, mustBeSystemError, putBack, sameFile } from './disk.js'
import { makeDurable } from './durable.js'
import { heldRow } from './held-row.js'
import {
  type Batch,
  batchDel,
  type Intent,
  type Lift,
  liftDel,
  readBatch,
  readLifts,
  readUnsettled,
  unsettledDel,
  unsettledPut,
} from './journal.js'
import { isGivenUp } from './part-pruning.js'
import { refusedByDisk } from './problems.js'
import { childrenOfRekeyed } from './rekeyed.js'
import { type Settled, Settling } from './settling.js'
import { isStagedContent, rootOfPart } from './staging.js'
import { stamps } from './stamps.js'
import { pruneTrash, Trash } from './trash.js'

/**
 * Settles what was under way when the process ended, before the first scan; then staging is cleared and the
 * trash pruned. Idempotent, and safe to be interrupted itself.
 *
 * @returns what could not be settled: see `settleUnderWay`.
 */
export async function recover(ctx: ApplyContext): Promise<readonly Problem[]> {
  const problems = await settleUnderWay(ctx)
  // What is not settled may be there.
  if (problems.length > 0) return problems
  ifAllowed(() => clearStaging(ctx))
  ifAllowed(() => pruneTrash(ctx.files, ctx.trash, ctx.clock.nowMs()))
  return problems
}

/** For tidying: nothing depends on it, and the next start does it again. */
function ifAllowed(effect: () => void): void {
  try {
    effect()
  } catch (error) {
    mustBeSystemError(error)
  }
}

/**
 * Settles by looking what was under way when a batch was interrupted: what is in place is recorded, what was
 * half done is finished or taken back, and whatever is the user's gets its name back. No pass may run.
 *
 * @returns one problem for each thing that the disk does not let be looked at, or put right, now. It stays in
 *   the journal, with what came after it at its places: call again before the next scan, which would take it for
 *   the user's doing.
 * @throws system errors: what was settled cannot be made durable. The rows do not say where things are: nothing
 *   may be scanned, or applied, before it was called again.
 */
export async function settleUnderWay(ctx: ApplyContext): Promise<readonly Problem[]> {
  const problems: Problem[] = []
  const intents = { unsettled: await readUnsettled(ctx.space.rows), batch: await readBatch(ctx.space.rows) }
  if (intents.unsettled.length + intents.batch.intents.length > 0)
    problems.push(...(await settleBatch(ctx, intents)))
  const waiting = new Set((await readUnsettled(ctx.space.rows)).map(({ row }) => row?.key))
  for (const lift of await readLifts(ctx.space.rows)) {
    // It may have landed already.
    if (waiting.has(lift.row.key)) continue
    const returned = await returnLifted(ctx, lift).catch((error) => mustBeSystemError(error))
    if (typeof returned !== 'string') {
      await recordReturned(ctx, lift, returned)
      continue
    }
    const path = (await ctx.rows.localPathOf(lift.row)) ?? lift.row.localName
    problems.push(refusedByDisk(path, returned))
  }
  if (problems.length === 0) for (const path of ctx.abandoned) ifAllowed(() => removeAbandoned(ctx, path))
  return problems
}

async function settleBatch(
  ctx: ApplyContext,
  { unsettled: earlier, batch }: { readonly unsettled: readonly Intent[]; readonly batch: Batch },
): Promise<Problem[]> {
  const intents = [...earlier, ...batch.intents]
  const isSameBoot = batch.bootId !== undefined && batch.bootId === ctx.files.bootId()
  const settling = (intent: Intent) => new Settling(ctx, intent, isSameBoot && !earlier.includes(intent))
  const stored = new Map<EntryKey, SyncedRow | undefined>()
  const rows = new Map<EntryKey, SyncedRow | undefined>()
  const done: Intent[] = []
  const failed: Intent[] = []
  const unsettled: Intent[] = []
  const problems: Problem[] = []
  const directories = new Set<string>()
  for (const intent of intents) {
    const { key, row, to, from } = intent
    if (unsettled.some((earlier) => comesAfter(intent, earlier))) {
      unsettled.push(intent)
      continue
    }
    const before = row && (await ctx.rows.get(row.key))
    const isCurrent = !row || (before !== undefined && isInode(before.fingerprint, row.fingerprint))
    if (isCurrent) {
      stored.set(key, before)
      rows.set(key, before)
    }
    try {
      let settled: Settled | undefined
      if (!isCurrent) settling(intent).tidy()
      else if (!(await isAnothersDirectory(ctx, intent))) settled = settling(intent).run()
      for (const path of [to, from])
        if (path !== undefined) directories.add(dirname(join(ctx.directory, path)))
      if (settled) rows.set(key, settled.row)
      if (!settled || settled.isHalf) failed.push(intent)
      else if (intent.shown) done.push(intent)
    } catch (error) {
      problems.push(refusedByDisk(to ?? from ?? '', mustBeSystemError(error)))
      unsettled.push(intent)
    }
  }
  const taken = new Set(intents.filter(({ key }) => rows.get(key) !== stored.get(key)).map(({ to }) => to))
  for (const intent of [...failed]) {
    const isCurrent = stored.has(intent.key)
    const row = isCurrent && taken.has(intent.from) ? settling(intent).movedAway() : undefined
    if (!row) continue
    rows.set(intent.key, row)
    if (intent.shown) done.push(intent)
    failed.splice(failed.indexOf(intent), 1)
  }
  const shown: Materialised[] = []
  const whole = untorn(done, [...failed, ...unsettled])
  const shownNow = new Set(whole.map(({ key }) => key))
  for (const intent of whole) {
    const { key, shown: result } = intent
    if (await hasOldRelatives(ctx, intent, shownNow)) continue
    shown.push({ key, as: result!.as, nodes: result!.nodes })
  }
  const isShown = new Set(shown.map(({ key }) => key))
  for (const { key } of done) {
    const [before, after] = [stored.get(key), rows.get(key)]
    if (isShown.has(key) || !before || !after) continue
    // Read again, the new bytes would pass for an edit of the old version.
    const { racy: _, ...rest } = after
    rows.set(key, heldRow(before, rest))
  }
  // Before that nothing may be recorded: a power cut may undo it.
  await makeDurable(ctx.files, [...directories], ctx.directory)
  const changes: RowChange[] = []
  for (const [key, before] of stored) {
    const after = rows.get(key)
    if (after !== before) changes.push({ before, after })
  }
  const landed = intents.filter(({ type, key }) => type === 'land' && rows.get(key) !== stored.get(key))
  for (const child of await childrenOfRekeyed(ctx.rows, changes)) changes.push(child)
  const rest = unsettled.length === 0 ? unsettledDel : unsettledPut(unsettled)
  const ops = [...landed.map(({ row }) => liftDel(row!.key)), batchDel, rest]
  await changeRows(ctx, changes, { shown, ops, sync: true })
  return problems
}

/**
 * Whether an effect is at, above or below a place of an earlier one: its rows would take away the place, or the
 * directory, that the row of that one names.
 */
function comesAfter(intent: Intent, earlier: Intent): boolean {
  const places = placesOf(earlier)
  const touches = (at: string, other: string) => `${at}/`.startsWith(`${other}/`)
  return placesOf(intent).some((at) => places.some((each) => touches(at, each) || touches(each, at)))
}

const placesOf = ({ from, to }: Intent): string[] => [from, to].filter((path) => path !== undefined)

/** Whether the rows know what stands where a directory was to be made as another one: its user moved it there. */
async function isAnothersDirectory(
  { files, rows, directory }: ApplyContext,
  { type, to }: Intent,
): Promise<boolean> {
  const stat = type === 'mkdir' ? lstatBelow(files, directory, to!) : undefined
  if (!stat) return false
  const known = await rows.byInode(stat.dev, stat.ino)
  return known.some(({ fingerprint }) => fingerprint.birthtimeNs === stat.birthtimeNs)
}

/**
 * Without those that share a node with an entry that still shows an old version: its registers are not
 * taken over before that one is there too (see `plan`).
 */
function untorn(done: readonly Intent[], failed: readonly Intent[]): Intent[] {
  const torn = new Set(
    failed.flatMap(({ row, shown }) => (row === undefined ? [] : (shown?.nodes ?? []).map(({ id }) => id))),
  )
  return done.filter(({ shown }) => !shown!.nodes.some(({ id, kind }) => kind !== 'dir' && torn.has(id)))
}

/**
 * Whether another entry of the same nodes stands on disk and was not part of what is shown now: its own
 * steps come in a later batch, or nobody knows how far they went.
 */
async function hasOldRelatives(
  ctx: ApplyContext,
  { key, row, shown }: Intent,
  shownNow: ReadonlySet<EntryKey>,
): Promise<boolean> {
  const relatives = new Set<EntryKey>()
  for (const node of shown!.nodes) {
    if (node.kind === 'dir') continue
    const synced = await ctx.space.synced.node(node.id)
    relatives.add(node.id)
    for (const { value } of [...node.content, ...(synced?.content ?? [])]) {
      if (value.root !== undefined) relatives.add(`${node.id}:${value.root}`)
    }
  }
  const others = [...relatives].filter((each) => each !== key && each !== row?.key && !shownNow.has(each))
  return (await ctx.rows.getMany(others)).some((row) => row !== undefined)
}

interface Returned {
  readonly dir: EntryKey
  /** Absolute. */
  readonly directory: string
  /** `undefined`: it is gone from everywhere. */
  readonly localName: string | undefined
}

/** Back to its place, or beside it: it is still dirty and will be moved again. */
async function returnLifted(ctx: ApplyContext, { row, path }: Lift): Promise<Returned> {
  const lifted = join(ctx.directory, path)
  const above = await ctx.rows.pathOfDirectory(row.dir)
  const dir =
    above === undefined || lstatBelow(ctx.files, ctx.directory, above)?.kind !== 'dir' ? ROOT : row.dir
  const directory = dir === ROOT ? ctx.directory : join(ctx.directory, above!)
  // A place has one row: its own may have been given to another meanwhile.
  const claimed = await ctx.rows.inDirectory(dir)
  const isFree = (name: string) => (claimed.get(name)?.key ?? row.key) === row.key
  const localName = ctx.files.lstat(lifted)
    ? putBack(ctx.files, lifted, directory, row.localName, isFree)
    : nameWhereReturned(ctx, directory, row, isFree)
  return { dir, directory, localName }
}

async function recordReturned(
  ctx: ApplyContext,
  { row }: Lift,
  { dir, directory, localName }: Returned,
): Promise<void> {
  const stored = await ctx.rows.get(row.key)
  const changes: RowChange[] = []
  if (localName !== undefined) {
    const stat = ctx.files.lstat(join(directory, localName))!
    const isOurs = stat.kind === 'dir' || sameFile(stat, row.fingerprint)
    const { mode } = row.fingerprint
    const after = {
      ...row,
      dir,
      localName,
      fingerprint: isOurs ? { ...stamps(stat), mode } : row.fingerprint,
    }
    await makeDurable(ctx.files, [directory], ctx.directory)
    changes.push({ before: stored, after })
  } else if (stored?.dir === STAGING_DIR) {
    // Not a deletion by the user: it comes back from the space.
    changes.push({ before: stored, after: undefined })
  }
  // Whatever became of its entry while it could not go back is looked at again.
  await changeRows(ctx, changes, { ops: [liftDel(row.key)], touch: [row.key], sync: true })
}

/** The name that an interrupted return has given to a thing; any other name is its user's doing. */
function nameWhereReturned(
  ctx: ApplyContext,
  directory: string,
  { localName, fingerprint }: SyncedRow,
  isFree: (name: string) => boolean,
): string | undefined {
  const isHere = (name: string): boolean => {
    const stat = ctx.files.lstat(join(directory, name))
    return stat !== undefined && isInode(stat, fingerprint) && isFree(name)
  }
  if (isHere(localName)) return localName
  // Names that were taken then may be free by now.
  const names = ctx.files.readdir(directory).map((bytes) => Buffer.from(bytes).toString('utf8'))
  return names.find((name) => isBeside(localName, name) && isHere(name))
}

/**
 * Complete content of ours is fetched again when it is needed; parts are continued for seven days. What
 * is neither was on its way when its journal was lost: it is kept, in the trash.
 */
function clearStaging(ctx: ApplyContext): void {
  const nowMs = ctx.clock.nowMs()
  const trash = new Trash(ctx.files, ctx.trash, () => nowMs)
  for (const bytes of ctx.files.readdir(ctx.staging)) {
    const name = Buffer.from(bytes).toString('utf8')
    const path = join(ctx.staging, name)
    ifAllowed(() => {
      const stat = ctx.files.lstat(path)
      if (!stat) return
      if (rootOfPart(name) !== undefined) {
        if (isGivenUp(stat, nowMs)) ctx.files.unlink(path)
      } else if (isStagedContent(name)) ctx.files.unlink(path)
      else ctx.files.rename(path, trash.placeFor(name))
    })
  }
}
