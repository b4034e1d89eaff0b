import { basename, dirname, join } from 'node:path'
import type { EntryKey, Materialised } from '@tidemark/engine'
import { ROOT } from '@tidemark/protocol'
import type { ApplyContext } from '../apply-context.js'
import type { FileStat } from '../ports/file-system.js'
import type { Fingerprint, SyncedRow } from '../rows.js'
import { type RowChange, rowOps } from '../rows-store.js'
import { placeNew, putBack, sameFile } from './disk.js'
import { makeDurable } from './durable.js'
import { batchDel, type Intent, type Lift, liftDel, readBatch, readLifts } from './journal.js'
import { childrenOfRekeyed } from './rekeyed.js'
import { isPart, isStagedContent } from './staging.js'
import { stamps } from './stamps.js'
import { STAGING_DIR } from './step.js'
import { pruneTrash, Trash } from './trash.js'

/** A download that nobody continued for this long is given up. */
const PART_AGE_MS_MAX = 7 * 24 * 3_600_000

/**
 * Settles by looking what was under way when the process ended, before the first scan: what is in place
 * is recorded, what was half done is finished or taken back, and whatever is the user's gets its name
 * back. Then staging is cleared and the trash pruned. Idempotent, and safe to be interrupted itself.
 */
export async function recoverProvisional(ctx: ApplyContext): Promise<void> {
  const intents = await readBatch(ctx.space.rows)
  if (intents.length > 0) await settleBatch(ctx, intents)
  for (const lift of await readLifts(ctx.space.rows)) await settleLift(ctx, lift)
  clearStaging(ctx)
  pruneTrash(ctx.files, ctx.trash, ctx.clock.nowMs())
}

async function settleBatch(ctx: ApplyContext, intents: readonly Intent[]): Promise<void> {
  const stored = new Map<EntryKey, SyncedRow | undefined>()
  const rows = new Map<EntryKey, SyncedRow | undefined>()
  const done: Intent[] = []
  const failed: Intent[] = []
  const directories = new Set<string>()
  for (const intent of intents) {
    const { key, rowKey, to, from } = intent
    if (!rows.has(key)) {
      const row = rowKey === undefined ? undefined : await ctx.rows.get(rowKey)
      stored.set(key, row)
      rows.set(key, row)
    }
    for (const path of [to, from]) if (path !== undefined) directories.add(dirname(join(ctx.directory, path)))
    const settled = new Settling(ctx, intent, rows.get(key)).run()
    if (!settled) {
      failed.push(intent)
      continue
    }
    rows.set(key, settled.row)
    if (intent.shown) done.push(intent)
  }
  const shown: Materialised[] = []
  const whole = untorn(done, failed)
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
    rows.set(key, { ...after, key: before.key, entry: before.entry })
  }
  await makeDurable(ctx.files, [...directories], ctx.directory)
  const changes: RowChange[] = []
  for (const [key, before] of stored) {
    const after = rows.get(key)
    if (after !== before) changes.push({ before, after })
  }
  const landed = intents.filter(({ type, key }) => type === 'land' && rows.get(key) !== stored.get(key))
  changes.push(...(await childrenOfRekeyed(ctx.rows, changes)))
  const ops = [...rowOps(changes), ...landed.map(({ rowKey }) => liftDel(rowKey!)), batchDel]
  await ctx.space.materialised(shown, ops, { sync: true })
}

/**
 * Without those that share a node with an entry that still shows an old version: its registers are not
 * taken over before that one is there too (see `plan`).
 */
function untorn(done: readonly Intent[], failed: readonly Intent[]): Intent[] {
  const torn = new Set(
    failed.flatMap(({ rowKey, shown }) =>
      rowKey === undefined ? [] : (shown?.nodes ?? []).map(({ id }) => id),
    ),
  )
  return done.filter(({ shown }) => !shown!.nodes.some(({ id, kind }) => kind !== 'dir' && torn.has(id)))
}

/**
 * Whether another entry of the same nodes stands on disk and was not part of what is shown now: its own
 * steps come in a later batch, or nobody knows how far they went.
 */
async function hasOldRelatives(
  ctx: ApplyContext,
  { key, rowKey, shown }: Intent,
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
  const others = [...relatives].filter((each) => each !== key && each !== rowKey && !shownNow.has(each))
  return (await ctx.rows.getMany(others)).some((row) => row !== undefined)
}

/** One effect of the interrupted batch, looked at on disk. */
class Settling {
  readonly #to: string | undefined
  readonly #from: string | undefined
  readonly #aside: string | undefined
  readonly #staged: string | undefined

  constructor(
    private readonly ctx: ApplyContext,
    private readonly intent: Intent,
    private readonly row: SyncedRow | undefined,
  ) {
    const absolute = (path: string | undefined) =>
      path === undefined ? undefined : join(ctx.directory, path)
    this.#to = absolute(intent.to)
    this.#from = absolute(intent.from)
    this.#aside = absolute(intent.aside)
    this.#staged = absolute(intent.staged?.path)
  }

  /** @returns the row after, when the effect is done; `undefined`: it is not, and the row stays. */
  run(): { readonly row: SyncedRow | undefined } | undefined {
    switch (this.intent.type) {
      case 'create':
        return this.#settleContent()
      case 'replace':
        return this.#settleReplace()
      case 'remove':
        return this.#settleRemove()
      case 'rmdir': {
        // What stands there now may be what comes next in the batch.
        const stat = this.#stat(this.#from)
        return stat && this.#hasRowsInode(stat) ? undefined : { row: undefined }
      }
      case 'lift':
      case 'move':
      case 'land':
        return this.#settleMove()
      case 'chmod':
        return this.#settleMode()
      case 'mkdir':
      case 'note':
        // Done again without harm: the directory is adopted.
        return undefined
    }
  }

  #settleContent(): { readonly row: SyncedRow } | undefined {
    const { staged, after } = this.intent
    const stat = this.#stat(this.#to)
    if (!stat) return undefined
    if (!staged) {
      // A symlink has no staged inode: the target tells.
      if (stat.kind !== 'symlink') return undefined
      const target = Buffer.from(this.ctx.files.readlink(this.#to!)).toString('utf8')
      return target === after!.entry.version?.target ? { row: this.#rowOf(stat) } : undefined
    }
    const { fingerprint } = staged
    const isStaged = (each: FileStat) => each.dev === fingerprint.dev && each.ino === fingerprint.ino
    if (!isStaged(stat)) return undefined
    const left = this.#stat(this.#staged)
    if (left && isStaged(left)) this.ctx.files.unlink(this.#staged!)
    // Written to since: the old stamps stay, so that the scan finds an edit of the new version.
    const isOurs = sameFile(stat, fingerprint)
    return { row: { ...this.#rowOf(this.#stat(this.#to)!), ...(isOurs ? {} : { fingerprint }) } }
  }

  #settleReplace(): { readonly row: SyncedRow | undefined } | undefined {
    const done = this.#settleContent()
    if (done) {
      this.#returnUsersFile()
      return done
    }
    const aside = this.#stat(this.#aside)
    if (!aside) return undefined
    if (!this.#isRow(aside)) {
      this.#returnUsersFile()
      return undefined
    }
    if (this.#stat(this.#to)) return undefined
    // The directory is gone or went elsewhere: the old content is in the trash, the new one comes again.
    if (this.#stat(dirname(this.#to!))?.kind !== 'dir') return undefined
    // The name is missing: the new content if it is whole, else the old.
    if (this.#staged !== undefined && this.#stat(this.#staged)) {
      placeNew(this.ctx.files, this.#staged, this.#to!, 'file')
      return this.#settleContent()
    }
    placeNew(this.ctx.files, this.#aside!, this.#to!, aside.kind)
    return undefined
  }

  #settleRemove(): { readonly row: undefined } | undefined {
    const aside = this.#stat(this.#aside)
    if (!aside) return undefined
    if (!this.#isRow(aside)) {
      this.#returnUsersFile()
      return undefined
    }
    // What stands there now is the next step's, or new.
    return { row: undefined }
  }

  #settleMode(): { readonly row: SyncedRow } | undefined {
    const stat = this.#stat(this.#to)
    if (!stat || !this.#isRow(stat)) return undefined
    const isExecutable = (stat.mode & 0o100) !== 0
    return isExecutable === this.intent.after!.entry.executable ? { row: this.#rowOf(stat) } : undefined
  }

  #settleMove(): { readonly row: SyncedRow } | undefined {
    const held = this.#stat(this.#aside)
    const target = this.#stat(this.#to)
    if (held && this.#aside !== undefined) {
      // Between taking the first name away and looking at it.
      if (this.#hasRowsInode(held) && target && this.#hasRowsInode(target)) this.ctx.files.unlink(this.#aside)
      else this.#putBack(this.#aside)
    }
    if (!target || !this.#hasRowsInode(target)) return undefined
    const source = this.#stat(this.#from)
    if (source && this.#hasRowsInode(source) && this.row!.entry.kind === 'file') {
      // Both names: the first is ours to take away.
      this.ctx.files.unlink(this.#from!)
    }
    const { after, type } = this.intent
    if (type === 'lift' || !after) return undefined
    const stat = this.#stat(this.#to)!
    const isOurs = target.kind === 'dir' || sameFile(target, this.row!.fingerprint)
    const row = { ...this.#rowOf(stat), key: this.intent.shown ? this.intent.key : this.row!.key }
    return { row: isOurs ? row : { ...row, fingerprint: this.row!.fingerprint } }
  }

  #returnUsersFile(): void {
    const aside = this.#stat(this.#aside)
    if (!aside || this.#isRow(aside)) return
    this.#putBack(this.#aside!)
  }

  /** To its place, or to the nearest directory above that is still there. */
  #putBack(aside: string): void {
    let directory = this.ctx.directory
    for (const name of dirname(this.intent.from!).split('/')) {
      const next = join(directory, name)
      if (this.#stat(next)?.kind !== 'dir') break
      directory = next
    }
    putBack(this.ctx.files, aside, directory, basename(this.#from!))
  }

  #rowOf(stat: FileStat): SyncedRow {
    const { dir, localName, entry } = this.intent.after!
    return { key: this.intent.key, dir, localName, entry, fingerprint: stamps(stat) }
  }

  #stat(path: string | undefined): FileStat | undefined {
    return path === undefined ? undefined : this.ctx.files.lstat(path)
  }

  #hasRowsInode(stat: Fingerprint): boolean {
    const row = this.row?.fingerprint
    return row !== undefined && stat.dev === row.dev && stat.ino === row.ino
  }

  #isRow(stat: Fingerprint): boolean {
    return this.row !== undefined && sameFile(stat, this.row.fingerprint)
  }
}

/** Back to its place, or beside it: it is still dirty and will be moved again. */
async function settleLift(ctx: ApplyContext, { row, path }: Lift): Promise<void> {
  const lifted = join(ctx.directory, path)
  const stored = await ctx.rows.get(row.key)
  const above = await ctx.rows.pathOfDirectory(row.dir)
  const dir =
    above === undefined || ctx.files.lstat(join(ctx.directory, above))?.kind !== 'dir' ? ROOT : row.dir
  const directory = dir === ROOT ? ctx.directory : join(ctx.directory, above!)
  const localName = ctx.files.lstat(lifted)
    ? putBack(ctx.files, lifted, directory, row.localName)
    : nameOf(ctx, directory, row.fingerprint)
  const ops = [liftDel(row.key)]
  if (localName !== undefined) {
    const stat = ctx.files.lstat(join(directory, localName))!
    const isOurs = stat.kind === 'dir' || sameFile(stat, row.fingerprint)
    const after = { ...row, dir, localName, fingerprint: isOurs ? stamps(stat) : row.fingerprint }
    await makeDurable(ctx.files, [directory], ctx.directory)
    ops.unshift(...rowOps([{ before: stored, after }]))
  } else if (stored?.dir === STAGING_DIR) {
    // Gone from everywhere: not a deletion by the user, it comes back from the space.
    ops.unshift(...rowOps([{ before: stored, after: undefined }]))
  }
  await ctx.space.writeRows(ops, { sync: true })
}

/** The name that a thing has in a directory, where an interrupted return has put it. */
function nameOf(ctx: ApplyContext, directory: string, { dev, ino }: Fingerprint): string | undefined {
  for (const bytes of ctx.files.readdir(directory)) {
    const name = Buffer.from(bytes).toString('utf8')
    const stat = ctx.files.lstat(join(directory, name))
    if (stat?.dev === dev && stat.ino === ino) return name
  }
  return undefined
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
    const stat = ctx.files.lstat(path)
    if (!stat) continue
    if (isPart(name)) {
      if (nowMs - Number(BigInt(stat.ctimeNs) / 1_000_000n) > PART_AGE_MS_MAX) ctx.files.unlink(path)
    } else if (isStagedContent(name)) ctx.files.unlink(path)
    else ctx.files.rename(path, trash.placeFor(name))
  }
}
