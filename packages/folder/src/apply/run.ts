import type { EntryKey, Materialised } from '@tidemark/engine'
import { ROOT } from '@tidemark/protocol'
import { dirname, join, relative } from 'node:path'
import type { ApplyContext } from '../apply-context.js'
import type { FileStat } from '../ports/file-system.js'
import type { Fingerprint, SyncedRow } from '../rows.js'
import { type RowChange, rowOps } from '../rows-store.js'
import { linkedKeys } from './components.js'
import { mustBeSystemError, putBack, untouched } from './disk.js'
import { makeDurable } from './durable.js'
import { attempt, Effects, type Outcome, pathOf, type Spot } from './effects.js'
import type { Item } from './item.js'
import { batchDel, batchPut, type Intent, liftDel, liftPut } from './journal.js'
import type { Locator } from './locator.js'
import { modeFor } from './mode.js'
import { type DirId, newDirId, type Place, type Plan, type PlannedPlace, STAGING_DIR, type Step } from './plan.js'
import { keepsIgnored, refusedByDisk } from './problems.js'
import type { Report } from './report.js'
import type { Staged, StagingArea } from './staging.js'
import type { Trash } from './trash.js'

/** Effects in one durable group: large enough to share its syncs, small enough to journal in one write. */
const BATCH_STEPS_MAX = 2_048
/** Effects between two turns of the event loop. */
const SLICE_STEPS = 128

export interface RunTools {
  readonly ctx: ApplyContext
  readonly locator: Locator
  readonly trash: Trash
  readonly staging: StagingArea
  readonly staged: ReadonlyMap<EntryKey, Staged>
  readonly report: Report
}

/** A step with its paths as they are when its batch begins. */
interface Prepared {
  readonly step: Step
  readonly intent: Intent
  readonly from: Spot | undefined
  readonly to: Spot | undefined
  readonly aside: string | undefined
  /** Directories that must be what the rows say. */
  readonly through: readonly string[]
}

interface Aside {
  readonly path: string
  readonly at: Spot
  readonly dir: string
  readonly stat: FileStat
}

/**
 * Executes a plan in durable groups: journal, effects, one sync, then rows and registers in one batch. A
 * step that moves a directory is a group of its own, so that paths hold still within a group; an entry has
 * one step in a group.
 */
export class Run {
  readonly #effects: Effects
  /** What stands for each item now; differs from its first row as steps are done. */
  readonly #rows = new Map<EntryKey, SyncedRow | undefined>()
  /** The same, as the database has it. */
  readonly #stored = new Map<EntryKey, SyncedRow | undefined>()
  readonly #lastStep = new Map<EntryKey, Step>()
  readonly #failed = new Set<EntryKey>()
  readonly #groups: ReadonlyMap<EntryKey, readonly EntryKey[]>
  /** Their last step is done. */
  readonly #finished = new Set<EntryKey>()
  /** Their registers are taken over. */
  readonly #shown = new Set<EntryKey>()
  /** Where each item's thing stands, in terms of directories on disk. */
  readonly #places = new Map<EntryKey, Place>()
  readonly #lifted = new Set<EntryKey>()
  readonly #items: ReadonlyMap<EntryKey, Item>

  constructor(
    private readonly tools: RunTools,
    private readonly plan: Plan,
  ) {
    this.#effects = new Effects(tools.ctx.files)
    const items = new Map<EntryKey, Item>()
    for (const step of plan.steps) {
      items.set(step.item.key, step.item)
      this.#lastStep.set(step.item.key, step)
      this.#rows.set(step.item.key, step.item.row)
      this.#stored.set(step.item.key, step.item.row)
      const { row } = step.item
      if (row) this.#places.set(step.item.key, { dir: row.dir, name: row.localName })
    }
    this.#items = items
    this.#groups = linkedKeys([...items.values()])
  }

  /** @throws the signal's reason, between two groups. */
  async execute(signal: AbortSignal): Promise<void> {
    for (const key of this.plan.deferred) this.tools.report.defer(key)
    try {
      for (const batch of batches(this.plan.steps)) {
        signal.throwIfAborted()
        await this.#runBatch(batch)
      }
    } finally {
      if (this.#lifted.size > 0) await this.#putBackLifted()
    }
    for (const key of this.#finished) if (!this.#shown.has(key)) this.tools.report.defer(key)
  }

  async #runBatch(steps: readonly Step[]): Promise<void> {
    const { ctx } = this.tools
    const prepared: Prepared[] = []
    for (const step of steps) {
      if (this.#failed.has(step.item.key)) continue
      const each = this.#tryPrepare(step)
      if (each) prepared.push(each)
      else this.#fail(step.item, '')
    }
    if (prepared.length === 0) return
    const effective = prepared.filter(({ step }) => step.type !== 'note')
    if (effective.length > 0) {
      await makeDurable(ctx.files, stagedPaths(prepared, ctx.directory), ctx.staging)
      await ctx.space.writeRows(this.#journal(effective.map(({ intent }) => intent)), { sync: true })
    }
    ctx.expectHints(touchedDirs(ctx.directory, effective))
    const asides: Aside[] = []
    const done: Prepared[] = []
    for (const [i, each] of prepared.entries()) {
      if (i % SLICE_STEPS === SLICE_STEPS - 1) await new Promise((resolve) => setImmediate(resolve))
      if (this.#failed.has(each.step.item.key)) continue
      const outcome = await this.#perform(each)
      if (!outcome.done) this.#explain(each, outcome)
      else {
        this.#record(each, outcome.stat)
        done.push(each)
        const aside = asideOf(each, ctx)
        if (aside) asides.push(aside)
      }
    }
    if (effective.length > 0) {
      await makeDurable(ctx.files, durablePaths(done), ctx.directory)
      this.#rescueLateWrites(asides)
    }
    await this.#store(prepared, done, effective.length > 0)
  }

  #tryPrepare(step: Step): Prepared | undefined {
    try {
      return this.#prepare(step)
    } catch (error) {
      this.tools.report.problem(refusedByDisk(step.item.want?.name ?? '', mustBeSystemError(error)))
      return undefined
    }
  }

  #prepare(step: Step): Prepared | undefined {
    const { locator, trash, staging, ctx, staged } = this.tools
    const { item } = step
    const row = this.#rows.get(item.key)
    const target = 'to' in step ? step.to : undefined
    const isLift = step.type === 'lift'
    const fromPlace = this.#places.get(item.key)
    if (step.type === 'mkdir') locator.announce(newDirId(item.key), step.to)
    const toPlace = isLift ? { dir: STAGING_DIR, name: liftName(row!) } : target
    const [from, to] = [fromPlace && this.#spot(fromPlace), toPlace && this.#spot(toPlace)]
    if ((fromPlace && !from) || (toPlace && !to)) return undefined
    let aside: string | undefined
    if (step.type === 'remove' || step.type === 'replace') {
      aside = trash.placeFor(locator.relative(fromPlace!))
    } else if (changesPlace(step) && row!.entry.kind === 'file') {
      aside = staging.scratch()
    }
    const content = step.type === 'create' || step.type === 'replace' ? staged.get(item.key) : undefined
    const rel = (path: string) => relative(ctx.directory, path)
    const isLast = this.#lastStep.get(item.key) === step
    const intent: Intent = {
      type: step.type,
      key: item.key,
      ...(row ? { rowKey: row.key } : {}),
      ...(target && !isLift
        ? { after: { dir: target.dirKey, localName: target.name, entry: this.#entryAfter(item, isLast, row) } }
        : {}),
      ...(isLast ? { shown: { ...(item.want ? { as: item.want } : {}), nodes: item.nodes } } : {}),
      ...(from ? { from: rel(pathOf(from)) } : {}),
      ...(to ? { to: rel(pathOf(to)) } : {}),
      ...(aside ? { aside: rel(aside) } : {}),
      ...(content ? { staged: { path: rel(content.path), fingerprint: content.fingerprint } } : {}),
    }
    const through = [fromPlace?.dir, toPlace?.dir].filter((dir) => dir !== undefined)
    return { step, intent, from, to, aside, through }
  }

  #entryAfter(item: Item, isLast: boolean, row: SyncedRow | undefined) {
    return isLast || !row ? item.want! : row.entry
  }

  #spot(place: Place): Spot | undefined {
    const directory = this.tools.locator.absoluteDir(place.dir)
    return directory === undefined ? undefined : { directory, name: place.name }
  }

  #journal(intents: readonly Intent[]) {
    const ops = [batchPut(intents)]
    for (const { type, key, to } of intents) {
      if (type === 'lift') ops.push(liftPut({ row: this.#rows.get(key)!, path: to! }))
    }
    return ops
  }

  #perform(each: Prepared): Outcome | Promise<Outcome> {
    const { step, from, to, aside } = each
    for (const dir of each.through) {
      const unsound = this.tools.locator.unsound(dir)
      if (unsound === undefined) continue
      this.tools.report.rescan(unsound)
      return { done: false, cause: 'changed' }
    }
    const row = this.#rows.get(step.item.key)
    const effects = this.#effects
    switch (step.type) {
      case 'note':
        return { done: true, stat: undefined }
      case 'remove':
        return attempt(() => effects.remove(from!, row!, aside!))
      case 'rmdir':
        return attempt(() => effects.rmdir(from!, row!))
      case 'mkdir': {
        const outcome = attempt(() => effects.mkdir(to!))
        return outcome.done || outcome.cause !== 'changed' ? outcome : this.#adoptDirectory(to!)
      }
      case 'lift':
      case 'move':
      case 'land':
        return attempt(() => effects.move(from!, to!, row!, aside ?? ''))
      case 'create':
        return attempt(() => this.#createContent(step.item, to!))
      case 'replace':
        return attempt(() =>
          effects.replace(from!, row!, aside!, () => this.#createContent(step.item, to!)),
        )
      case 'chmod':
        return attempt(() =>
          effects.chmod(to!, row!, modeFor(row!.fingerprint.mode, step.item.want!.executable)),
        )
    }
  }

  #createContent({ key, want }: Item, to: Spot): Outcome {
    const target = want!.version?.target
    if (want!.kind === 'symlink') return this.#effects.createSymlink(to, target ?? '')
    return this.#effects.create(to, this.tools.staged.get(key)!.path)
  }

  /** Somebody made the same directory: then it is this one, unless the rows know it as another. */
  async #adoptDirectory(to: Spot): Promise<Outcome> {
    const stat = this.tools.ctx.files.lstat(pathOf(to))
    if (stat?.kind !== 'dir') return { done: false, cause: 'changed' }
    const known = await this.tools.ctx.rows.byInode(stat.dev, stat.ino)
    if (known.length > 0) return { done: false, cause: 'changed' }
    this.tools.report.rescan(relative(this.tools.ctx.directory, pathOf(to)))
    return { done: true, stat }
  }

  #explain({ step, from, to }: Prepared, outcome: Exclude<Outcome, { done: true }>): void {
    const { ctx, report } = this.tools
    const spot = from ?? to!
    const path = relative(ctx.directory, pathOf(spot))
    if (outcome.cause === 'refused') report.problem(refusedByDisk(path, outcome.errno))
    if (outcome.cause === 'not-empty' && this.#holdsOnlyIgnored(path)) report.problem(keepsIgnored(path))
    this.#fail(step.item, outcome.cause === 'not-empty' ? path : relative(ctx.directory, spot.directory))
    // A place that is taken is another directory than the one that the thing stands in.
    if (to && outcome.cause === 'changed') report.rescan(relative(ctx.directory, to.directory))
  }

  #holdsOnlyIgnored(path: string): boolean {
    const { files, directory, isIgnored } = this.tools.ctx
    return files.readdir(join(directory, path)).every((bytes) => {
      const name = Buffer.from(bytes).toString('utf8')
      return isIgnored(`${path}/${name}`, files.lstat(join(directory, path, name))?.kind === 'dir')
    })
  }

  #fail({ key }: Item, rescan: string): void {
    this.#failed.add(key)
    this.tools.report.defer(key)
    if (!rescan.startsWith('.tidemark')) this.tools.report.rescan(rescan)
  }

  /** Updates the models of places and rows after an effect. */
  #record({ step }: Prepared, stat: FileStat | undefined): void {
    const { locator } = this.tools
    const { item } = step
    const row = this.#rows.get(item.key)
    if (step.type === 'remove' || step.type === 'rmdir' || !('to' in step) || !step.to) {
      if (row) locator.remove(row.key)
      this.#rows.set(item.key, undefined)
      this.#places.delete(item.key)
      return
    }
    if (step.type === 'lift') {
      this.#lifted.add(item.key)
      const place = { dir: STAGING_DIR, name: liftName(row!) }
      this.#places.set(item.key, place)
      locator.move(row!.key, place)
      this.#rows.set(item.key, { ...row!, dir: place.dir, localName: place.name, fingerprint: fresh(row!, stat!) })
      return
    }
    this.#lifted.delete(item.key)
    this.#places.set(item.key, step.to)
    if (step.type === 'mkdir') locator.set(newDirId(item.key), step.to, stat!)
    else if (row) locator.move(row.key, step.to)
    const isLast = this.#lastStep.get(item.key) === step
    this.#rows.set(item.key, this.#rowAfter(step, step.to, row, stat, isLast))
  }

  #rowAfter(
    step: Step,
    to: PlannedPlace,
    row: SyncedRow | undefined,
    stat: FileStat | undefined,
    isLast: boolean,
  ): SyncedRow {
    const { item } = step
    const isNewContent = step.type === 'create' || step.type === 'replace' || step.type === 'mkdir'
    return {
      key: isLast || !row ? item.key : row.key,
      dir: to.dirKey,
      localName: to.name,
      entry: this.#entryAfter(item, isLast, row),
      fingerprint: !stat ? row!.fingerprint : isNewContent ? stamps(stat) : fresh(row!, stat),
      ...(row?.racy && !isNewContent ? { racy: true } : {}),
    }
  }

  /** What could not land goes back, beside its old place if that is taken meanwhile. */
  async #putBackLifted(): Promise<void> {
    const { ctx, locator, report } = this.tools
    for (const key of this.#lifted) {
      const old = this.#items.get(key)!.row!
      const staged = this.#rows.get(key)!
      const hasDir = locator.unsound(old.dir) === undefined
      const dir = hasDir ? old.dir : ROOT
      const directory = locator.absoluteDir(dir)!
      const from = join(ctx.staging, staged.localName)
      const localName = putBack(ctx.files, from, directory, old.localName)
      const stat = ctx.files.lstat(join(directory, localName))
      const after = { ...old, dir: this.#dirKey(dir), localName, fingerprint: stat ? fresh(old, stat) : old.fingerprint }
      await makeDurable(ctx.files, [directory], ctx.directory)
      const ops = [...rowOps([{ before: this.#stored.get(key), after }]), liftDel(old.key)]
      await ctx.space.writeRows(ops, { sync: false })
      report.defer(key)
      report.rescan(relative(ctx.directory, directory))
    }
  }

  /** The key that rows below a directory have as their `dir` now. */
  #dirKey(dir: DirId): EntryKey {
    for (const { key, row } of this.#items.values()) {
      if (row?.key === dir && this.#shown.has(key)) return key
    }
    return dir
  }

  /** Old content that was written to after it went aside: its writer had it open, and gets it back. */
  #rescueLateWrites(asides: readonly Aside[]): void {
    const { ctx, report } = this.tools
    for (const { path, at, dir, stat } of asides) {
      const now = ctx.files.lstat(path)
      if (!now || untouched(now, stat)) continue
      putBack(ctx.files, path, at.directory, at.name)
      report.rescan(dir)
    }
  }

  async #store(prepared: readonly Prepared[], done: readonly Prepared[], journaled: boolean): Promise<void> {
    const { ctx, report } = this.tools
    for (const { step } of done) {
      if (this.#lastStep.get(step.item.key) === step) this.#finished.add(step.item.key)
    }
    const keys = new Set(prepared.map(({ step }) => step.item.key))
    const shown: Materialised[] = []
    const changes: RowChange[] = []
    const lifts = []
    for (const key of withGroups(keys, this.#groups)) {
      const item = this.#items.get(key)
      if (!item) continue
      if (this.#shown.has(key)) continue
      const isShown = this.#finished.has(key) && this.#groupIsDone(key)
      const after = isShown || !this.#finished.has(key) ? this.#rows.get(key) : this.#heldRow(item)
      if (after !== this.#stored.get(key)) changes.push({ before: this.#stored.get(key), after })
      this.#stored.set(key, after)
      if (!isShown) continue
      this.#shown.add(key)
      shown.push({ key, as: item.want, nodes: item.nodes })
    }
    for (const { step } of done) if (step.type === 'land') lifts.push(liftDel(step.item.row!.key))
    changes.push(...(await this.#childrenOfRekeyed(changes)))
    const ops = [...rowOps(changes), ...lifts, ...(journaled ? [batchDel] : [])]
    await ctx.space.materialised(shown, ops, { sync: false })
    report.applied += shown.length
    for (const { key } of shown) report.deferred.delete(key)
    for (const { step, from, to } of done) {
      if (step.type === 'note') continue
      ctx.onEvent({ type: 'applied', path: relative(ctx.directory, pathOf(to ?? from!)), detail: step.type })
    }
  }

  /** Rows name their directory by its key: where that changed, those that stay in it follow. */
  async #childrenOfRekeyed(changes: readonly RowChange[]): Promise<RowChange[]> {
    const children: RowChange[] = []
    const own = new Set(changes.flatMap(({ before }) => before?.key ?? []))
    for (const { before, after } of changes) {
      if (!before || !after || before.key === after.key || after.entry.kind !== 'dir') continue
      for (const row of (await this.tools.ctx.rows.inDirectory(before.key)).values()) {
        if (own.has(row.key)) continue
        const moved = { ...row, dir: after.key }
        children.push({ before: row, after: moved })
        for (const [key, stored] of this.#stored) {
          if (stored?.key !== row.key) continue
          if (this.#rows.get(key) === stored) this.#rows.set(key, moved)
          this.#stored.set(key, moved)
        }
      }
    }
    return children
  }

  /**
   * Whether all that must reach the disk together with this item has. What never stood on disk and waits
   * holds nobody back.
   */
  #groupIsDone(key: EntryKey): boolean {
    for (const other of this.#groups.get(key) ?? []) {
      const item = this.#items.get(other)
      if (!item || !this.#lastStep.has(other) || this.#finished.has(other)) continue
      if (this.#failed.has(other) && !item.row) continue
      return false
    }
    return true
  }

  /** The disk shows the new state, but its registers are not taken over yet: the entry stays what it was. */
  #heldRow(item: Item): SyncedRow | undefined {
    const row = this.#rows.get(item.key)
    return row && { ...row, key: item.row?.key ?? item.key, entry: item.row?.entry ?? row.entry }
  }
}

function* batches(steps: readonly Step[]): Generator<readonly Step[]> {
  let batch: Step[] = []
  const keys = new Set<EntryKey>()
  for (const step of steps) {
    const alone = movesDirectory(step)
    if (batch.length > 0 && (alone || batch.length === BATCH_STEPS_MAX || keys.has(step.item.key))) {
      yield batch
      batch = []
      keys.clear()
    }
    if (alone) yield [step]
    else {
      batch.push(step)
      keys.add(step.item.key)
    }
  }
  if (batch.length > 0) yield batch
}

const changesPlace = ({ type }: Step): boolean => type === 'move' || type === 'lift' || type === 'land'

const movesDirectory = (step: Step): boolean =>
  changesPlace(step) && (step.type !== 'move' || step.item.row!.entry.kind === 'dir')

const liftName = (row: SyncedRow): string => `lift-${row.key.replace(':', '-')}`

const stagedPaths = (prepared: readonly Prepared[], directory: string): string[] =>
  prepared.flatMap(({ intent }) => (intent.staged ? [join(directory, intent.staged.path)] : []))

function durablePaths(done: readonly Prepared[]): string[] {
  const paths = new Set<string>()
  for (const { step, from, to, aside } of done) {
    if (step.type === 'note') continue
    if (from) paths.add(from.directory)
    if (to) paths.add(to.directory)
    if (aside) paths.add(dirname(aside))
  }
  return [...paths]
}

function touchedDirs(directory: string, prepared: readonly Prepared[]): string[] {
  const dirs = new Set<string>()
  for (const { from, to } of prepared) {
    if (from) dirs.add(relative(directory, from.directory))
    if (to) dirs.add(relative(directory, to.directory))
  }
  return [...dirs]
}

function asideOf({ step, from, aside }: Prepared, ctx: ApplyContext): Aside | undefined {
  if (step.type !== 'remove' && step.type !== 'replace') return undefined
  if (step.item.row!.entry.kind !== 'file') return undefined
  const stat = ctx.files.lstat(aside!)
  return stat && { path: aside!, at: from!, dir: relative(ctx.directory, from!.directory), stat }
}

/** All members of the groups of these keys. */
function withGroups(
  keys: ReadonlySet<EntryKey>,
  groups: ReadonlyMap<EntryKey, readonly EntryKey[]>,
): ReadonlySet<EntryKey> {
  const all = new Set(keys)
  for (const key of keys) for (const other of groups.get(key) ?? []) all.add(other)
  return all
}

export function stamps(stat: FileStat): Fingerprint {
  const { dev, ino, birthtimeNs, size, mtimeNs, ctimeNs, mode, nlink } = stat
  return { dev, ino, birthtimeNs, size, mtimeNs, ctimeNs, mode, nlink }
}

/** Stamps after a rename; what was written meanwhile stays a difference for the next scan. */
function fresh(row: SyncedRow, stat: FileStat): Fingerprint {
  const old = row.fingerprint
  if (stat.kind !== 'dir' && (stat.size !== old.size || stat.mtimeNs !== old.mtimeNs)) return old
  return stamps(stat)
}
