import { setImmediate } from 'node:timers/promises'
import { type EntryKey, entryKey } from '@tidemark/engine'
import { errnoOf } from '../adapters/node-file-system.js'
import { parentOf } from '../parent-of.js'
import type { FileStat } from '../ports/file-system.js'
import type { Watcher } from '../ports/watcher.js'
import type { SyncedRow } from '../rows.js'
import type { IgnoreRules } from '../scan/ignore-rules.js'
import { staleRulesAbove } from '../scan/rules-stamp.js'
import { scanDirectory } from '../scan/scan-directory.js'
import type { HintSet } from '../watch/hints.js'
import type { Absences } from './absences.js'
import { adoptDirectory } from './adopt.js'
import { deletionsOf } from './deletions.js'
import { diffDirectory, type Finding } from './diff.js'
import { DirRef } from './dir-ref.js'
import { EntryNames } from './entry-names.js'
import { mayBeMoved } from './identity.js'
import type { Deletion, Item } from './item.js'
import { lookUp } from './lookups.js'
import { type PushOptions, push } from './push.js'
import { type Moved, type Occupied, type Resolution, resolve, type Spot } from './resolve.js'
import type { Stale } from './stale.js'
import { hintedSteps, type Step } from './steps.js'

/** Changes committed at once: enough to share a round trip, few enough that the first arrive early. */
const GROUP_ITEMS = 1_000
/** Bytes of small files read at once; they stay in memory until they are stored. */
const GROUP_BYTES = 32 * 1024 * 1024
/** Groups between reading and commit. */
const GROUPS_IN_FLIGHT = 2
const DELETES_PER_GROUP = 2_000
/** The thread is given up after this long. */
const SLICE_MS = 8

export interface LocalPassOptions extends PushOptions {
  readonly hints: HintSet
  readonly rules: IgnoreRules
  readonly watcher: Watcher | undefined
  readonly root: { readonly dev: string; readonly ino: string }
  readonly absences: Absences
  /** Rows whose things may stand elsewhere by now, with where that is: as long as one is not overdue it is waited for. */
  readonly unclear: Absences
  /** Nothing can be committed now: changes are counted and left. */
  readonly isOffline: boolean
  /** What effects that are half done are about: none of what stands there, or is missing, is its user's doing. */
  readonly underWay: UnderWay
  /** Deletions are held: what is missing stays so until its place is seen. */
  readonly isHeld: boolean
  /** Whether these may be deleted now. */
  readonly mayDelete: (items: readonly Deletion[]) => Promise<boolean>
}

export interface UnderWay {
  readonly keys: ReadonlySet<EntryKey>
  /** Relative. */
  readonly paths: ReadonlySet<string>
}

export interface LocalPassResult {
  /** Directories to look at again, and whether with all below. */
  readonly again: ReadonlyMap<string, boolean>
  /** Directories with changes that could not be pushed, being offline. */
  readonly unpushed: ReadonlySet<string>
  /** Things lost their rows: they must be sent before others' changes could take them for theirs. */
  readonly isRowless: boolean
  /** Directories whose ignore rules are not those that were taken over last. */
  readonly rulesChanged: readonly RuledDirectory[]
}

export interface RuledDirectory {
  /** Relative. */
  readonly path: string
  /** `undefined`: nobody else has anything there. */
  readonly key: EntryKey | undefined
}

/** Scans what the hints name, compares it with the rows, and pushes the difference in groups. */
export function runLocalPass(options: LocalPassOptions): Promise<LocalPassResult> {
  return new LocalPass(options).run()
}

class LocalPass {
  readonly #again = new Map<string, boolean>()
  readonly #unpushed = new Set<string>()
  #isRowless = false
  readonly #rulesChanged: RuledDirectory[] = []
  readonly #scanned = new Set<string>()
  /** Places that could not be, or are not, looked at, and nothing below them; kept while deletions are held. */
  readonly #hidden = new Set<string>()
  /** Directories of rows that were asked for, and are not there. */
  readonly #gone = new Set<string>()
  readonly #steps: Step[] = []
  readonly #moved: Moved[] = []
  readonly #occupied: Occupied[] = []
  /** With the directory that it is missing from. */
  readonly #missing = new Map<EntryKey, { readonly row: SyncedRow; readonly directory: string }>()
  /** Rows of which nothing can be said before what is under way is settled. */
  readonly #undecided = new Set<EntryKey>()
  /** Rows whose things may have come to this directory. */
  readonly #unclear = new Map<EntryKey, string>()
  #group: Item[] = []
  #groupBytes = 0
  readonly #inFlight: Promise<void>[] = []
  #refs = 0
  #sliceStartMs: number

  constructor(private readonly options: LocalPassOptions) {
    this.#sliceStartMs = options.monotonicMs()
  }

  async run(): Promise<LocalPassResult> {
    const { hints, context, root, unsent } = this.options
    if (hints.isFull) unsent?.restart()
    for (const step of await hintedSteps(hints, context.rows, root.ino)) this.#steps.push(step)
    try {
      for (let step = this.#steps.pop(); step; step = this.#steps.pop()) await this.#scan(step)
      await this.#settle()
    } finally {
      await Promise.allSettled(this.#inFlight)
    }
    if (this.options.hints.isFull) this.options.watcher?.sweep()
    for (const path of [...this.#again.keys()]) if (this.#mustWait(path)) this.#again.delete(path)
    return {
      again: this.#again,
      unpushed: this.#unpushed,
      isRowless: this.#isRowless,
      rulesChanged: this.#rulesChanged,
    }
  }

  /** What the space refused is as it was, with all below: tried again by and by. */
  #mustWait(path: string): boolean {
    const { retries, monotonicMs } = this.options
    const nowMs = monotonicMs()
    for (let above = path; above !== ''; above = parentOf(above))
      if (retries.mustWait(above, nowMs)) return true
    return false
  }

  async #scan({ dir, isDeep }: Step): Promise<void> {
    const { context, rules, watcher, root, signal, isOffline, retries, unsent, unclear, monotonicMs } =
      this.options
    if (this.#scanned.has(dir.path)) return
    await this.#breathe()
    signal.throwIfAborted()
    // Watched before it is listed: nothing falls between the two.
    watcher?.add(dir.path, dir.ino)
    const target = { root: context.directory, path: dir.path, dev: root.dev, ino: dir.ino }
    const scan = scanDirectory(context.files, rules, target)
    if (scan.state === 'listed') {
      const stale = staleRulesAbove(context.files, rules, context.directory, dir.path)
      if (stale !== undefined) {
        // What stands here may be hidden by what those say now.
        this.#hide(dir.path)
        this.#lookAgain(stale, false)
        this.#lookAgain(dir.path, isDeep)
        return
      }
    }
    const source = `${dir.path}/`
    unsent?.scanned(dir.key, dir.path, scan)
    // What a disk did not show this time comes with no event when it does again, nor does what changed below it.
    const owed = retries.owed(source)
    if (scan.state === 'unknown') retries.failed(source, monotonicMs(), false, 'all')
    else if (scan.state === 'listed' && scan.unseen.size > 0)
      retries.failed(source, monotonicMs(), false, scan.unseen)
    else retries.succeeded(source)
    if (scan.state === 'gone') {
      context.problems.set(source, [])
      this.#gone.add(dir.path)
      rules.removed(dir.path)
      if (dir.path !== '') this.#lookAgain(parentOf(dir.path), false)
      return
    }
    this.#scanned.add(dir.path)
    if (scan.state === 'listed')
      context.refused.listed(dir.path, (name) => scan.found.has(name) || scan.unseen.has(name))
    if (scan.state === 'unknown') {
      this.#hide(dir.path)
      context.problems.set(source, [scan.problem])
      return
    }
    for (const name of scan.hidden) this.#hide(dir.pathOf(name))
    context.problems.set(source, scan.problems)
    if (scan.rulesChanged) this.#rulesChanged.push({ path: dir.path, key: dir.key })
    const rows =
      dir.key === undefined ? new Map<string, SyncedRow>() : await context.rows.inDirectory(dir.key)
    const mayWait = (key: EntryKey) => !unclear.isOverdue(key, monotonicMs())
    const input = await lookUp(context, root.dev, { ...scan, rows, mayWait })
    const names = new EntryNames(scan.found, rows)
    const findings = diffDirectory(input)
    const isAllDeep = isDeep || scan.rulesChanged || owed === 'all'
    for (const finding of findings) {
      const isOwed = owed !== 'all' && finding.type === 'enter' && owed.has(finding.row.localName)
      await this.#take(finding, dir, isAllDeep || isOwed, names)
    }
    if (isOffline && findings.some(({ type }) => type !== 'enter')) this.#unpushed.add(dir.path)
  }

  async #take(finding: Finding, dir: DirRef, isDeep: boolean, names: EntryNames): Promise<void> {
    if (this.#isUnderWay(finding, dir)) {
      // What came here is missing where it was.
      if ('row' in finding) this.#undecided.add(finding.row.key)
      if (finding.type === 'occupied' && finding.owner) this.#undecided.add(finding.owner.key)
      return
    }
    const movedTo = this.#notedMove(finding)
    if (movedTo !== undefined) {
      this.#lookAgain(movedTo, false)
      if (finding.type === 'missing') return
    }
    switch (finding.type) {
      case 'enter': {
        const path = dir.pathOf(finding.row.localName)
        const { watcher, context } = this.options
        const isNew = watcher !== undefined && !watcher.covers(path, finding.stat.ino)
        // Whoever opens a directory is told of that one, not of those below it.
        const isDue = isDeep || isNew || context.problems.isUnlisted(path)
        if (isDue) this.#enter(DirRef.ofRow(finding.row, path, finding.stat.ino))
        return
      }
      case 'create':
        if (this.options.context.refused.holds(dir.pathOf(finding.name), finding.stat)) return
        return this.#create({ dir, ...finding }, names.entryName(finding.name), true)
      case 'verify': {
        const { row, stat } = finding
        if (this.options.context.refused.holds(dir.pathOf(row.localName), stat)) return
        return this.#add({ type: 'verify', path: dir.pathOf(row.localName), row, stat }, stat)
      }
      case 'move': {
        const moved = { ...finding, dir }
        this.#moved.push(moved)
        if (finding.stat.kind === 'dir') {
          const path = dir.pathOf(finding.name)
          this.options.rules.removed(path)
          this.#enter(DirRef.ofRow(finding.row, path, finding.stat.ino))
        }
        return
      }
      case 'occupied':
        this.#occupied.push({ ...finding, dir, name: finding.row.localName })
        return
      case 'unclear':
        this.#unclear.set(finding.row.key, dir.path)
        return
      case 'missing':
        if (await this.#standsElsewhere(finding.row)) return this.#lookAgain(dir.path, false)
        this.#missing.set(finding.row.key, { row: finding.row, directory: dir.path })
        return
    }
  }

  /** Where what this row is about was found, and not sent, before: only another look there tells what holds. */
  #notedMove(finding: Finding): string | undefined {
    const isOfPlace = finding.type !== 'create' && finding.type !== 'move' && finding.type !== 'unclear'
    return isOfPlace ? this.options.unsent?.movedTo(finding.row.key) : undefined
  }

  #isUnderWay(finding: Finding, dir: DirRef): boolean {
    // What is in a directory has keys and paths of its own.
    if (finding.type === 'enter') return false
    const { keys, paths } = this.options.underWay
    if ('row' in finding && keys.has(finding.row.key)) return true
    return paths.has(dir.pathOf('name' in finding ? finding.name : finding.row.localName))
  }

  async #standsElsewhere(row: SyncedRow): Promise<boolean> {
    const { absences, context } = this.options
    if (!absences.wasFound(row.key)) return false
    // A file that it replaced goes on as that one, with its bytes.
    const others = (await context.rows.byInode(row.fingerprint.dev, row.fingerprint.ino)).filter(
      ({ key }) => key !== row.key,
    )
    const taken = new Set(await Promise.all(others.map((other) => context.rows.localPathOf(other))))
    return absences.isElsewhere(row.key, (path) => {
      if (taken.has(path)) return false
      try {
        const stat = context.files.lstat(`${context.directory}/${path}`)
        return stat !== undefined && mayBeMoved(row, stat)
      } catch (error) {
        if (errnoOf(error) === undefined) throw error
        // What cannot be looked at is not absent.
        return true
      }
    })
  }

  async #create({ dir, name, stat }: Spot, entryName: string, mayEnter: boolean): Promise<void> {
    const path = dir.pathOf(name)
    const item: Item & { type: 'create' } = { type: 'create', path, dir, name, entryName, stat }
    if (stat.kind !== 'dir') return this.#add(item, stat)
    // Of another that stood there.
    this.options.rules.removed(path)
    if ((this.options.isImport || this.options.unsent) && !this.options.isOffline) {
      const entry = await adoptDirectory(this.options.context, item)
      if (entry) {
        const self = DirRef.created(path, stat.ino, path)
        self.settle(entryKey(entry), entry.node)
        if (mayEnter) this.#enter(self)
        else this.#lookAgain(path, true)
        return
      }
    }
    const self = DirRef.created(path, stat.ino, `dir ${++this.#refs}`)
    await this.#add({ ...item, self }, stat)
    if (mayEnter && !this.options.isOffline && !this.options.unsent) this.#enter(self)
  }

  #enter(dir: DirRef): void {
    this.#steps.push({ dir, isDeep: true })
  }

  /** Everything was seen: decides about what is not where it was. */
  async #settle(): Promise<void> {
    const { absences, unclear, monotonicMs, isOffline, unsent, underWay } = this.options
    if (isOffline) return
    const nowMs = monotonicMs()
    for (const key of [...underWay.keys, ...this.#undecided]) this.#missing.delete(key)
    for (const [key, directory] of this.#unclear) {
      // Together, so that it is not gone from the one before it is seen in the other.
      for (const each of [directory, this.#missing.get(key)?.directory])
        if (each !== undefined) this.#lookAgain(each, false)
      this.#missing.delete(key)
    }
    const isKnown = (key: EntryKey) => unsent?.wasDeleted(key) === true
    const isOverdue = (key: EntryKey) => isKnown(key) || absences.isOverdue(key, nowMs)
    const resolution = resolve(
      {
        moved: this.#moved,
        occupied: this.#occupied,
        missing: [...this.#missing.values()].map(({ row }) => row),
      },
      isOverdue,
    )
    const absent = new Map<EntryKey, string>()
    for (const { key } of resolution.missing) {
      if (!isKnown(key)) absent.set(key, this.#missing.get(key)!.directory)
    }
    const places = new Map(this.#occupied.map(({ row, dir }) => [row.key, dir.path]))
    for (const key of resolution.waiting) {
      // Of what was not missed where it stood, that directory is still to be scanned for its own reasons.
      const directory = places.get(key) ?? this.#missing.get(key)?.directory
      if (directory !== undefined) absent.set(key, directory)
    }
    const { hints } = this.options
    const wasAsked = (directory: string) =>
      hints.isFull || hints.directories.has(directory) || this.#scanned.has(directory)
    for (const [key, directory] of await this.#unseen(absent, wasAsked)) {
      absent.set(key, directory)
      this.#lookAgain(directory, false)
    }
    absences.update(absent, (directory) => wasAsked(directory) && !this.#isHidden(directory), nowMs)
    unclear.update(this.#unclear, wasAsked, nowMs)
    await this.#pushDisplaced(resolution)
    await this.#flush()
    await this.#drain()
    for (const { row, dir, name } of resolution.moves) {
      const path = dir.pathOf(name)
      if (this.#mustWait(path)) absences.found(row.key, path)
    }
    const overdue = resolution.missing.filter(({ key }) => isOverdue(key))
    await this.#delete(overdue)
    for (const { dir } of unsent?.takeLost() ?? []) {
      const directory = await this.options.context.rows.pathOfDirectory(dir)
      if (directory !== undefined) this.#lookAgain(directory, false)
    }
  }

  #hide(path: string): void {
    if (this.options.isHeld) this.#hidden.add(path)
  }

  #isHidden(directory: string): boolean {
    if (this.#hidden.has(directory)) return true
    return directory !== '' && this.#isHidden(parentOf(directory))
  }

  /**
   * What was missing from a directory that was asked for, and is not missed now, because the path is not that
   * directory's any more: it was moved with what is in it. With the path that it has now.
   */
  async #unseen(
    absent: ReadonlyMap<EntryKey, string>,
    wasAsked: (directory: string) => boolean,
  ): Promise<Map<EntryKey, string>> {
    const { absences, context, hints } = this.options
    const unseen = new Map<EntryKey, string>()
    if (hints.isFull) return unseen
    const keys = absences.from(wasAsked).filter((key) => !absent.has(key))
    for (const row of await context.rows.getMany(keys)) {
      const directory = row && (await context.rows.pathOfDirectory(row.dir))
      if (directory !== undefined && !this.#scanned.has(directory) && !this.#gone.has(directory))
        unseen.set(row!.key, directory)
    }
    return unseen
  }

  async #pushDisplaced(resolution: Resolution): Promise<void> {
    const { moves, creates, verifies, rebinds } = resolution
    const moved = new Set(moves.map(({ row }) => row.key))
    const deletes = await deletionsOf(resolution.deletes, {
      ...this.options,
      except: moved,
      isDisplaced: true,
    })
    if (!(await this.#mayDelete(deletes))) return
    // What is not sent has no row there that another look could start from.
    const isKept = this.options.unsent !== undefined
    // One batch: names change hands in it.
    await this.#flush()
    for (const { row, dir, name, stat } of moves) {
      const entryName = name.normalize('NFC')
      this.#group.push({ type: 'move', path: dir.pathOf(name), row, dir, name, entryName, stat })
      if (!isKept && (stat.kind === 'dir' || stat.nlink > 1)) this.#lookAgain(dir.pathOf(name), true)
    }
    // The rows above may not be moved yet: what was scanned says where it stands.
    for (const { row, dir, name, stat } of verifies)
      this.#group.push({ type: 'verify', path: dir.pathOf(name), row, stat })
    for (const { row, dir, name, stat } of rebinds) {
      const path = dir.pathOf(name)
      this.options.rules.removed(path)
      this.#group.push({ type: 'rebind', path, row, stat })
      this.#lookAgain(path, true)
    }
    for (const each of deletes) this.#group.push(each)
    // Last: a large group may be split, and then names must be free already.
    for (const spot of creates) {
      await this.#create(spot, spot.name.normalize('NFC'), false)
      if (!isKept && spot.stat.kind === 'dir') this.#lookAgain(spot.dir.pathOf(spot.name), true)
    }
  }

  async #delete(gone: readonly SyncedRow[]): Promise<void> {
    const items = await deletionsOf(gone, { ...this.options, except: new Set(), isDisplaced: false })
    if (!(await this.#mayDelete(items))) return
    for (let at = 0; at < items.length; at += DELETES_PER_GROUP) {
      await push(items.slice(at, at + DELETES_PER_GROUP), this.options, Promise.resolve(), this.#onStale)
    }
    for (const { key } of gone) this.options.absences.forget(key)
  }

  async #mayDelete(items: readonly Deletion[]): Promise<boolean> {
    return items.every(({ isIgnored }) => isIgnored) || this.options.mayDelete(items)
  }

  async #add(item: Item, stat: FileStat): Promise<void> {
    if (this.options.isOffline) return
    this.#group.push(item)
    if (stat.kind === 'file') this.#groupBytes += stat.size
    if (this.#group.length >= GROUP_ITEMS || this.#groupBytes >= GROUP_BYTES) await this.#flush()
  }

  async #flush(): Promise<void> {
    if (this.#group.length === 0) return
    const items = this.#group
    this.#group = []
    this.#groupBytes = 0
    while (this.#inFlight.length >= GROUPS_IN_FLIGHT) await this.#inFlight.shift()
    const previous = this.#inFlight.at(-1) ?? Promise.resolve()
    const pushed = push(items, this.options, previous, this.#onStale)
    // Awaited by `drain` or by a later flush; until then a failure is no unhandled one.
    pushed.catch(() => undefined)
    this.#inFlight.push(pushed)
  }

  async #drain(): Promise<void> {
    while (this.#inFlight.length > 0) await this.#inFlight.shift()
  }

  readonly #onStale = ({ item, directories, isRowless }: Stale): void => {
    this.#lookAgain(parentOf(item.path), false)
    for (const directory of directories) this.#lookAgain(directory, false)
    if (isRowless) this.#isRowless = true
  }

  #lookAgain(directory: string, isDeep: boolean): void {
    this.#again.set(directory, isDeep || this.#again.get(directory) === true)
  }

  async #breathe(): Promise<void> {
    const { monotonicMs } = this.options
    if (monotonicMs() - this.#sliceStartMs < SLICE_MS) return
    await setImmediate()
    this.#sliceStartMs = monotonicMs()
  }
}
