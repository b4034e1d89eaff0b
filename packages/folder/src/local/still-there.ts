import { errnoOf } from '../adapters/node-file-system.js'
import type { FileStat } from '../ports/file-system.js'
import type { SyncedRow } from '../rows.js'
import type { Planned } from './commit-rows.js'
import { sameIdentity, sameStamps } from './identity.js'
import type { Deletion } from './item.js'
import type { PushContext } from './push-context.js'
import { type RefuseOptions, refuse } from './refuse.js'

/** Looks at the disk once more before a group is committed. */
export class SecondLook {
  /** What is below one that is gone went with it: one look says so of all. */
  readonly #gone = new Map<Deletion['top'], boolean>()

  constructor(private readonly options: RefuseOptions) {}

  /** What of it still holds; `undefined`: nothing. */
  stillThere(planned: Planned): Planned | undefined {
    if (this.#isStillThere(planned)) return planned
    const { item } = planned
    if (item.type !== 'move' || item.stat.kind === 'dir') return undefined
    const stat = lstatIfAllowed(this.options.context, item.path)
    const isSame = stat !== undefined && stat !== 'unknown' && sameIdentity(stat, item.stat)
    return isSame ? { item, isUnread: true } : undefined
  }

  #isStillThere({ item, read }: Planned): boolean {
    if (item.type === 'delete') return this.#isGone(item)
    const { retries, monotonicMs } = this.options
    const stat = this.#look(item.path)
    if (stat === 'unknown') return false
    if (item.type === 'rebind' || item.stat.kind === 'dir')
      return stat?.kind === 'dir' && stat.ino === item.stat.ino
    if (stat && sameStamps(stat, read?.stat ?? item.stat)) return true
    if (stat) retries.failed(item.path, monotonicMs(), true)
    return false
  }

  /** Below a directory that is gone a path may lead through a link to what was never here: only its top is looked at. */
  #isGone({ top, isDisplaced }: Deletion): boolean {
    const known = this.#gone.get(top)
    if (known !== undefined) return known
    const stat = this.#look(top.path)
    const isGone = stat === undefined || (isDisplaced && stat !== 'unknown' && isAnother(stat, top.row))
    this.#gone.set(top, isGone)
    return isGone
  }

  #look(path: string): FileStat | undefined | 'unknown' {
    return lstatIfAllowed(this.options.context, path, (error) => refuse(path, error, this.options))
  }
}
const isAnother = (stat: FileStat, { fingerprint, entry }: SyncedRow): boolean =>
  stat.ino !== fingerprint.ino || stat.kind !== entry.kind

function lstatIfAllowed(
  { files, directory }: PushContext,
  path: string,
  onRefused: (error: unknown) => void = () => {},
): FileStat | undefined | 'unknown' {
  try {
    return files.lstat(`${directory}/${path}`)
  } catch (error) {
    if (errnoOf(error) === undefined) throw error
    onRefused(error)
    return 'unknown'
  }
}
