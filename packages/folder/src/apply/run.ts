import { dirname, join } from 'node:path'
import type { EntryKey } from '@tidemark/engine'
import { ROOT } from '@tidemark/protocol'
import type { ApplyContext } from '../apply-context.js'
import { changeRows } from '../change-rows.js'
import type { FileStat } from '../ports/file-system.js'
import type { SyncedRow } from '../rows.js'
import { IGNORE_FILE } from '../scan/ignore-rules.js'
import { batches } from './batches.js'
import { isRowAside, lstatBelow, mustBeSystemError, putBack, untouched } from './disk.js'
import { makeDurable } from './durable.js'
import { Effects, type Outcome, pathOf, relativeTo, type Spot } from './effects.js'
import type { Item } from './item.js'
import { batchDel, batchPut, type Intent, liftDel, liftPut, readUnsettled, unsettledPut } from './journal.js'
import { modeFor } from './mode.js'
import type { Plan } from './plan.js'
import { type Prepared, prepare, type RunTools } from './prepare.js'
import { refusedByDisk } from './problems.js'
import { childrenOfRekeyed } from './rekeyed.js'
import { RunState } from './run-state.js'
import { fresh } from './stamps.js'
import type { DirId, Step } from './step.js'
import { childrenOfUncovered } from './uncovered.js'

/** Effects between two turns of the event loop. */
const SLICE_STEPS = 128

interface Aside {
  readonly path: string
  readonly at: Spot
  readonly dir: string
  /** What it was when its place was last scanned. */
  readonly row: SyncedRow
  readonly stat: FileStat
}

/**
 * Executes a plan in durable groups: journal, effects, one sync, then rows and registers in one batch. A
 * step that moves a directory is a group of its own, so that paths hold still within a group; an entry has
 * one step in a group.
 */
export class Run {
  readonly #effects: Effects
  readonly #state: RunState
  #isHalfDone = false

  constructor(
    private readonly tools: RunTools,
    private readonly plan: Plan,
  ) {
    this.#effects = new Effects(tools.ctx.files)
    this.#state = new RunState(plan, tools.locator, tools.ctx.clock)
  }

  /** @throws the signal's reason, between two groups. */
  async execute(signal: AbortSignal): Promise<void> {
    for (const key of this.plan.deferred) this.tools.report.defer(key)
    for (const batch of batches(this.plan.steps)) {
      if (signal.aborted) break
      // Paths that it was planned with may lead elsewhere now.
      if (this.#isHalfDone) for (const { item } of batch) this.tools.report.defer(item.key)
      else await this.#runBatch(batch)
    }
    // While the journal tells of a group, what was lifted is put back when that is settled.
    if (this.#state.lifted.size > 0 && !this.#isHalfDone) await this.#putBackLifted()
    signal.throwIfAborted()
    for (const key of this.#state.heldBack()) this.tools.report.defer(key)
  }

  async #runBatch(steps: readonly Step[]): Promise<void> {
    const { ctx } = this.tools
    const prepared: Prepared[] = []
    for (const step of steps) {
      if (this.#state.failed.has(step.item.key)) continue
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
    const tried: Prepared[] = []
    const halfDone: Intent[] = []
    for (const [i, each] of prepared.entries()) {
      if (i % SLICE_STEPS === SLICE_STEPS - 1) await new Promise((resolve) => setImmediate(resolve))
      if (this.#state.failed.has(each.step.item.key)) continue
      tried.push(each)
      const row = this.#state.rows.get(each.step.item.key)
      const outcome = await this.#perform(each)
      this.#noteRules(each, row, outcome)
      const aside = asideOf(each, row, outcome, ctx)
      if (aside) asides.push(aside)
      if (!outcome.done) {
        if (outcome.cause === 'half-done') {
          halfDone.push(each.intent)
          this.#isHalfDone = true
        }
        this.#explain(each, outcome)
      } else {
        this.#state.record(each.step, outcome.stat)
        if (each.step.type === 'chmod' && outcome.stat) await this.#lookAtOtherNames(outcome.stat)
        done.push(each)
      }
    }
    if (effective.length > 0) {
      // What was put back too: the journal that tells of it goes next.
      await makeDurable(ctx.files, durablePaths(tried), ctx.directory)
      const rescued = this.#rescueLateWrites(asides)
      if (rescued.length > 0) await makeDurable(ctx.files, rescued, ctx.directory)
    }
    await this.#store(prepared, done, halfDone, effective.length > 0)
  }

  #tryPrepare(step: Step): Prepared | undefined {
    try {
      return prepare(this.tools, this.#state, step)
    } catch (error) {
      this.tools.report.problem(refusedByDisk(step.item.want?.name ?? '', mustBeSystemError(error)))
      return undefined
    }
  }

  #journal(intents: readonly Intent[]) {
    const ops = [batchPut({ intents, bootId: this.tools.ctx.files.bootId() })]
    for (const { type, key, to } of intents) {
      if (type === 'lift') ops.push(liftPut({ row: this.#state.rows.get(key)!, path: to! }))
    }
    return ops
  }

  async #perform(each: Prepared): Promise<Outcome> {
    const { step, from, to, aside } = each
    if (this.#state.isHeld(step)) return { done: false, cause: 'changed' }
    for (const dir of each.through) {
      const unsound = this.tools.locator.unsound(dir)
      if (unsound === undefined) continue
      this.tools.report.rescan(unsound)
      return { done: false, cause: 'changed' }
    }
    const row = this.#state.rows.get(step.item.key)
    // Something may have come since it was looked at: bytes were waited for.
    const isLeaving = step.type === 'remove' || step.type === 'move' || step.type === 'lift'
    if (row && isLeaving && (await this.tools.leavingRules.hide(row)))
      return { done: false, cause: 'changed' }
    const effects = this.#effects
    switch (step.type) {
      case 'note':
        return { done: true, stat: undefined }
      case 'remove':
        return effects.attempt(() => effects.remove(from!, row!, aside!))
      case 'rmdir':
        return effects.attempt(() => effects.rmdir(from!, row!))
      case 'mkdir': {
        const outcome = effects.attempt(() => effects.mkdir(to!))
        if (!outcome.done && outcome.cause === 'changed') return this.#adoptDirectory(to!)
        if (outcome.done) this.tools.ctx.rules.made(relativeTo(this.tools.ctx.directory, pathOf(to!)))
        return outcome
      }
      case 'lift':
      case 'move':
      case 'land':
        return effects.attempt(() => effects.move(from!, to!, row!, aside ?? ''))
      case 'create':
        return effects.attempt(() => this.#createContent(step.item, to!))
      case 'replace':
        return effects.attempt(() =>
          effects.replace(from!, row!, aside!, () => this.#createContent(step.item, to!)),
        )
      case 'chmod':
        return effects.attempt(() =>
          effects.chmod(to!, row!, modeFor(row!.fingerprint.mode, step.item.want!.executable)),
        )
    }
  }

  /** Rules go by the paths of directories. */
  #noteRules({ from, to }: Prepared, row: SyncedRow | undefined, { done }: Outcome): void {
    const { rules, directory } = this.tools.ctx
    for (const spot of [from, to])
      if (spot?.name === IGNORE_FILE) rules.touched(relativeTo(directory, spot.directory))
    if (!done || !from || row?.entry.kind !== 'dir') return
    const path = relativeTo(directory, pathOf(from))
    if (to) rules.moved(path, relativeTo(directory, pathOf(to)))
    else rules.removed(path)
  }

  /** A file has one mode under all its names, and no event tells of the others. */
  async #lookAtOtherNames({ dev, ino, nlink }: FileStat): Promise<void> {
    if (nlink === 1) return
    const { ctx, report } = this.tools
    for (const { dir } of await ctx.rows.byInode(dev, ino)) {
      const directory = await ctx.rows.pathOfDirectory(dir)
      if (directory !== undefined) report.rescan(directory)
    }
  }

  #createContent({ key, want }: Item, to: Spot): Outcome {
    const target = want!.version?.target
    if (want!.kind === 'symlink') return this.#effects.createSymlink(to, target!)
    return this.#effects.create(to, this.tools.staged.get(key)!.path)
  }

  /** Somebody made the same directory: then it is this one, unless the rows know it as another. */
  async #adoptDirectory(to: Spot): Promise<Outcome> {
    const stat = this.tools.ctx.files.lstat(pathOf(to))
    if (stat?.kind !== 'dir') return { done: false, cause: 'changed' }
    const known = await this.tools.ctx.rows.byInode(stat.dev, stat.ino)
    if (known.length > 0) return { done: false, cause: 'changed' }
    const { directory, rules } = this.tools.ctx
    const path = relativeTo(directory, pathOf(to))
    rules.removed(path)
    // Where it stands too: whoever may only read has noted it there as new.
    for (const each of [path, relativeTo(directory, to.directory)]) this.tools.report.rescan(each)
    return { done: true, stat }
  }

  #explain({ step, from, to }: Prepared, outcome: Exclude<Outcome, { done: true }>): void {
    const { ctx, report } = this.tools
    const spot = from ?? to!
    const path = relativeTo(ctx.directory, pathOf(spot))
    if (outcome.cause === 'taken') this.#state.lose(step.item.key)
    if (outcome.cause === 'refused' || outcome.cause === 'half-done')
      report.problem(refusedByDisk(path, outcome.errno))
    this.#fail(step.item, outcome.cause === 'not-empty' ? path : relativeTo(ctx.directory, spot.directory))
    // A place that is taken is another directory than the one that the thing stands in.
    if (to && outcome.cause === 'changed') report.rescan(relativeTo(ctx.directory, to.directory))
  }

  #fail({ key }: Item, rescan: string): void {
    this.#state.failed.add(key)
    this.tools.report.defer(key)
    if (!rescan.startsWith('.tidemark')) this.tools.report.rescan(rescan)
  }

  /** What could not land goes back, beside its old place if that is taken meanwhile. */
  async #putBackLifted(): Promise<void> {
    const { ctx, locator, report } = this.tools
    for (const key of this.#state.lifted) {
      const old = this.#state.items.get(key)!.row!
      const staged = this.#state.rows.get(key)!
      const hasDir = locator.unsound(old.dir) === undefined
      const dir = hasDir ? old.dir : ROOT
      const directory = locator.absoluteDir(dir)!
      const from = join(ctx.staging, staged.localName)
      const dirKey = this.#dirKey(dir)
      // A place has one row: its own may have been given to another meanwhile.
      const claimed = await ctx.rows.inDirectory(dirKey)
      const isFree = (name: string) => !claimed.has(name)
      const localName = putBack(ctx.files, from, directory, old.localName, isFree)
      const back = join(directory, localName)
      const [path, backPath] = [relativeTo(ctx.directory, from), relativeTo(ctx.directory, back)]
      ctx.refused.moved(path, backPath)
      if (old.entry.kind === 'dir') ctx.rules.moved(path, backPath)
      const stat = ctx.files.lstat(back)
      const after = {
        ...old,
        dir: dirKey,
        localName,
        fingerprint: stat ? fresh(old, stat) : old.fingerprint,
      }
      await makeDurable(ctx.files, [directory], ctx.directory)
      const change = { before: this.#state.stored.get(key), after }
      await changeRows(ctx, [change], { ops: [liftDel(old.key)], sync: false })
      report.defer(key)
      report.rescan(relativeTo(ctx.directory, directory))
    }
  }

  /** The key that rows below a directory have as their `dir` now. */
  #dirKey(dir: DirId): EntryKey {
    for (const { key, row } of this.#state.items.values()) {
      if (row?.key === dir && this.#state.isShown(key)) return key
    }
    return dir
  }

  /**
   * Old content that was written to after it went aside: its writer had it open, and gets it back.
   *
   * @returns the directories in which something is back.
   */
  #rescueLateWrites(asides: readonly Aside[]): string[] {
    const { ctx, report } = this.tools
    const directories: string[] = []
    for (const { path, at, dir, row, stat } of asides) {
      const now = ctx.files.lstat(path)
      // The stamps were taken after the new content came: what was written before that only the row can tell.
      if (!now || (untouched(now, stat) && isRowAside(ctx.files, path, row))) continue
      // Where its directory is gone, or leads elsewhere by now, to the nearest one above.
      let nearest = dir
      while (nearest !== '' && lstatBelow(ctx.files, ctx.directory, nearest)?.kind !== 'dir')
        nearest = relativeTo(ctx.directory, dirname(join(ctx.directory, nearest)))
      const directory = join(ctx.directory, nearest)
      putBack(ctx.files, path, directory, at.name)
      directories.push(directory)
      report.rescan(nearest)
    }
    return directories
  }

  /** @param halfDone What stays in the journal. */
  async #store(
    prepared: readonly Prepared[],
    done: readonly Prepared[],
    halfDone: readonly Intent[],
    journaled: boolean,
  ): Promise<void> {
    const { ctx, report } = this.tools
    const state = this.#state
    const { shown, changes } = state.settle(new Set(prepared.map(({ step }) => step.item.key)))
    const lifts = done.flatMap(({ step }) => (step.type === 'land' ? [liftDel(step.item.row!.key)] : []))
    for (const each of prepared) {
      const isRefused = each.step.type === 'lift' && !done.includes(each)
      // Where it could not be put back either, the note is all that tells of it.
      if (isRefused && !ctx.files.lstat(pathOf(each.to!))) lifts.push(liftDel(each.step.item.row!.key))
    }
    const children = await childrenOfRekeyed(ctx.rows, changes)
    for (const { before, after } of children) state.follow(before!, after!)
    const ops = [...lifts, ...(journaled ? [batchDel] : [])]
    if (halfDone.length > 0) ops.push(unsettledPut([...(await readUnsettled(ctx.space.rows)), ...halfDone]))
    const touch = await childrenOfUncovered(ctx, changes, (key) => state.items.has(key))
    await changeRows(ctx, [...changes, ...children], { shown, ops, touch, sync: false })
    for (const { key } of shown) report.deferred.delete(key)
    for (const { step, from, to } of done) {
      // What belongs to something that waits is noted at each pass: that is no step forward.
      if (step.type === 'note') continue
      report.applied++
      const path = relativeTo(ctx.directory, pathOf(to ?? from!))
      if (from && to) ctx.refused.moved(relativeTo(ctx.directory, pathOf(from)), path)
      ctx.onEvent({ type: 'applied', path, detail: step.type })
    }
  }
}

const stagedPaths = (prepared: readonly Prepared[], directory: string): string[] =>
  prepared.flatMap(({ intent }) => (intent.staged ? [join(directory, intent.staged.path)] : []))

function durablePaths(tried: readonly Prepared[]): string[] {
  const paths = new Set<string>()
  for (const { step, from, to, aside } of tried) {
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
    if (from) dirs.add(relativeTo(directory, from.directory))
    if (to) dirs.add(relativeTo(directory, to.directory))
  }
  return [...dirs]
}

function asideOf(
  { step, from, aside }: Prepared,
  row: SyncedRow | undefined,
  outcome: Outcome,
  ctx: ApplyContext,
): Aside | undefined {
  if (step.type !== 'remove' && step.type !== 'replace') return undefined
  if (row?.entry.kind !== 'file' || !(outcome.done || outcome.cause === 'taken')) return undefined
  const stat = ctx.files.lstat(aside!)
  return stat && { path: aside!, at: from!, dir: relativeTo(ctx.directory, from!.directory), row, stat }
}
