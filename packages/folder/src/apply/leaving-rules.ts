import type { EntryKey, Materialised } from '@tidemark/engine'
import type { ApplyContext } from '../apply-context.js'
import { changeRows } from '../change-rows.js'
import type { SyncedRow } from '../rows.js'
import type { RowChange } from '../rows-store.js'
import { decodeName, refusalOf } from '../scan/carried.js'
import { IGNORE_FILE } from '../scan/ignore-rules.js'
import { wantedLocalName } from '../wanted-name.js'
import { mustBeSystemError } from './disk.js'
import type { Item } from './item.js'
import type { Locator } from './locator.js'
import { keepsUnsynced } from './problems.js'
import type { Report } from './report.js'

/** Entries of a directory that are looked at between two turns of the event loop. */
const SLICE_ENTRIES = 128

interface Tools {
  readonly ctx: ApplyContext
  readonly locator: Locator
  readonly report: Report
}

/** A rules file that others took away together with its directory. */
interface Leaving {
  readonly item: Item
  readonly row: SyncedRow
  readonly dir: SyncedRow
  /** The directory goes too: `keptEntries` says whether it does. */
  readonly isDirLeaving: boolean
}

/**
 * Rules files that leave a directory because somebody deleted it: nobody wished for what they hide to be seen, as
 * who deletes rules alone does. The directory may live on, because of what others have put into it.
 */
export class LeavingRules {
  readonly #dirs: ReadonlyMap<EntryKey, SyncedRow>

  private constructor(
    private readonly tools: Tools,
    private readonly leaving: readonly Leaving[],
  ) {
    this.#dirs = new Map(leaving.map(({ row, dir }) => [row.key, dir]))
  }

  /**
   * @param items After `pairRows`; only those that may be touched.
   * @param dirs That are what their rows say.
   */
  static async of(
    tools: Tools,
    items: readonly Item[],
    dirs: ReadonlyMap<EntryKey, SyncedRow>,
  ): Promise<LeavingRules> {
    const leavingDirs = new Set<EntryKey>()
    for (const { row, want } of items) if (row?.entry.kind === 'dir' && !want) leavingDirs.add(row.key)
    const leaving: Leaving[] = []
    for (const item of items) {
      const { row } = item
      const dir = row?.localName === IGNORE_FILE ? dirs.get(row.dir) : undefined
      if (!row || !dir || staysIn(dir, item)) continue
      const isDirLeaving = leavingDirs.has(dir.key)
      if (isDirLeaving || (await wasDeleted(tools.ctx, dir))) leaving.push({ item, row, dir, isDirLeaving })
    }
    return new LeavingRules(tools, leaving)
  }

  /**
   * Rules that hide something in a directory that lives on, or would go elsewhere and leave it bare, stay as a file
   * that is new: the scan sends it, so that all who have that directory have its rules too.
   *
   * @returns items that wait until the disk shows what is there; `again`: rows were lost, and nothing that was
   *   gathered holds any more.
   */
  async keep(): Promise<ReadonlySet<EntryKey> | 'again'> {
    const { ctx, locator, report } = this.tools
    const waiting = new Set<EntryKey>()
    const kept: Leaving[] = []
    const gone = new Map<EntryKey, SyncedRow>()
    for (const { dir, isDirLeaving } of this.leaving) if (isDirLeaving) gone.set(dir.key, dir)
    for (const each of this.leaving) {
      const { item, dir, isDirLeaving } = each
      if (isDirLeaving && !item.want) continue
      gone.set(dir.key, dir)
      const uncovers = await this.#uncovers(dir, gone.values())
      if (uncovers === 'unknown') {
        waiting.add(item.key)
        report.defer(item.key)
        report.rescan(locator.relativeDir(dir.key))
      } else if (uncovers && ctx.isReadOnly()) {
        // Nothing is sent from here: they stay as they are until what they hide is gone.
        waiting.add(item.key)
        report.keep(item.key)
        report.problem(keepsUnsynced(locator.relativeDir(dir.key)))
        gone.delete(dir.key)
      } else if (uncovers) {
        kept.push(each)
        gone.delete(dir.key)
      }
    }
    if (kept.length === 0) return waiting
    const shown: Materialised[] = []
    const changes: RowChange[] = []
    const touch: EntryKey[] = []
    for (const { item, row, dir } of kept) {
      changes.push({ before: row, after: undefined })
      if (item.want) touch.push(item.key, row.key)
      else shown.push({ key: item.key, as: item.hidden, nodes: item.nodes })
      report.rescan(locator.relativeDir(dir.key))
    }
    await changeRows(ctx, changes, { shown, touch, sync: false })
    return 'again'
  }

  /** Whether what stands now would be seen without these rules, and those that leave with them. @param row Of them. */
  async hide(row: SyncedRow): Promise<boolean> {
    const dir = this.#dirs.get(row.key)
    return dir !== undefined && (await this.#uncovers(dir, this.#dirs.values())) !== false
  }

  /** Whether something in the directory, or below, is hidden by no other rules than those of `gone`. */
  async #uncovers(dir: SyncedRow, gone: Iterable<SyncedRow>): Promise<boolean | 'unknown'> {
    const { ctx, locator } = this.tools
    const { rules, files, directory } = ctx
    const without = new Set([...gone].map(({ key }) => locator.relativeDir(key)))
    const open = [locator.relativeDir(dir.key)]
    let looks = 0
    try {
      for (let at = open.pop(); at !== undefined; at = open.pop()) {
        for (const bytes of files.readdir(`${directory}/${at}`)) {
          if (++looks % SLICE_ENTRIES === 0) await new Promise((resolve) => setImmediate(resolve))
          const name = decodeName(bytes)
          const path = `${at}/${name}`
          const stat = name === undefined ? undefined : files.lstat(`${directory}/${path}`)
          if (name === undefined || !stat || refusalOf(name, path, stat, dir.fingerprint.dev)) continue
          const isDirectory = stat.kind === 'dir'
          if (!rules.isIgnored(path, isDirectory)) {
            if (isDirectory) open.push(path)
          } else if (!rules.isIgnored(path, isDirectory, without)) return true
        }
      }
    } catch (error) {
      mustBeSystemError(error)
      return 'unknown'
    }
    return false
  }
}

/** A directory may be shown by another key by now. */
const staysIn = (dir: SyncedRow, { row, want }: Item): boolean =>
  want !== undefined &&
  wantedLocalName(row, want) === row!.localName &&
  [dir.key, ...dir.entry.backing].some((key) => key === want.parent)

/**
 * Also where another has renamed it since, or moved it: that one did not mean its rules. A deletion of which
 * somebody knew who placed it anew is over.
 */
async function wasDeleted({ space }: ApplyContext, dir: SyncedRow): Promise<boolean> {
  const nodes = await Promise.all(dir.entry.backing.map((id) => space.received.node(id)))
  return nodes.some((node) => node?.loc.some(({ value }) => value.dead))
}
