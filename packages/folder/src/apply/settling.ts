import { basename, dirname, join, sep } from 'node:path'
import { RESERVED_NAME } from '@tidemark/protocol'
import type { ApplyContext } from '../apply-context.js'
import type { FileStat } from '../ports/file-system.js'
import type { Fingerprint, SyncedRow } from '../rows.js'
import { isInode, isRowAside, lstatBelow, placeNew, putBack, sameFile } from './disk.js'
import { relativeTo } from './effects.js'
import type { Intent } from './journal.js'
import { stamps } from './stamps.js'

export interface Settled {
  readonly row: SyncedRow | undefined
  /** The effect ended half way, and cannot be finished: only its row is gone. */
  readonly isHalf?: boolean
}

/** One effect of the interrupted batch, looked at on disk. */
export class Settling {
  /** What the effect started from. */
  readonly #row: SyncedRow | undefined
  readonly #to: string | undefined
  readonly #from: string | undefined
  readonly #aside: string | undefined
  readonly #staged: string | undefined

  constructor(
    private readonly ctx: ApplyContext,
    private readonly intent: Intent,
    /** Since the effect the machine ran, and nobody used staging: what was done is there, or somebody undid it. */
    private readonly isSound: boolean,
  ) {
    const absolute = (path: string | undefined) =>
      path === undefined ? undefined : join(ctx.directory, path)
    this.#row = intent.row
    this.#to = absolute(intent.to)
    this.#from = absolute(intent.from)
    this.#aside = absolute(intent.aside)
    this.#staged = absolute(intent.staged?.path)
  }

  /**
   * Idempotent.
   *
   * @returns what has the place of the row now; `undefined`: the effect is not done, and the row stays.
   * @throws system errors: it can be asked again.
   */
  run(): Settled | undefined {
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
        return this.#settleDirectory()
      case 'note':
        return undefined
    }
  }

  /**
   * For an effect whose row the database no longer has: another has its place by now, or none. Old content stays in
   * the trash, and nothing gets a name but what its user made.
   *
   * @throws system errors: it can be asked again.
   */
  tidy(): void {
    const [there, left] = [this.#stat(this.#to), this.#stat(this.#staged)]
    if (there && left && isInode(there, left)) this.ctx.files.unlink(this.#staged!)
    this.#returnUsersFile()
  }

  /**
   * For a move that is not done although its old place is another's: it was done, and what was moved is gone
   * since. The next scan misses it where it was moved to, or finds it where its user moved it.
   *
   * @returns the row there; `undefined`: it was no move.
   */
  movedAway(): SyncedRow | undefined {
    return this.intent.type === 'move' && this.#row ? this.#movedRow(undefined) : undefined
  }

  /** @param wasFree Whether nothing stands there that stood there before. */
  #settleContent(wasFree = true): { readonly row: SyncedRow } | undefined {
    const { staged, after } = this.intent
    const stat = this.#stat(this.#to)
    if (!staged) {
      // A symlink has no staged inode: the target tells.
      if (stat?.kind !== 'symlink') return undefined
      const target = Buffer.from(this.ctx.files.readlink(this.#to!)).toString('utf8')
      return target === after!.entry.version?.target ? { row: this.#rowOf(stat, stat) } : undefined
    }
    const { fingerprint } = staged
    const isStaged = (each: FileStat) => isInode(each, fingerprint)
    const left = this.#stat(this.#staged)
    if (!stat || !isStaged(stat)) {
      const isReplace = this.intent.type === 'replace'
      const wasLinked = !left || (isReplace && isStaged(left) && left.ctimeNs !== fingerprint.ctimeNs)
      // It was given this name, and somebody saved over it, or took it away: that was done to the new version.
      // Where nothing else tells that it came, it comes again: staging may have been emptied by hand.
      const isTheirDoing = wasLinked && (stat !== undefined || isReplace)
      const wasHere = wasFree && this.isSound && isTheirDoing
      return wasHere ? { row: this.#rowOf(undefined, fingerprint) } : undefined
    }
    if (left && isStaged(left)) this.ctx.files.unlink(this.#staged!)
    // Written to since, or gone by now: the old stamps stay, so that the scan finds an edit of the new version.
    return { row: this.#rowOf(this.#stat(this.#to), fingerprint) }
  }

  #settleReplace(): Settled | undefined {
    const aside = this.#stat(this.#aside)
    const done = this.#settleContent(aside !== undefined)
    if (done) {
      this.#returnUsersFile()
      return done
    }
    if (!aside) return undefined
    if (!this.#isAsideRows()) {
      this.#returnUsersFile()
      return undefined
    }
    const there = this.#stat(this.#to)
    if (there && isInode(there, aside)) {
      // It was given back, and still has its name in the trash.
      this.ctx.files.unlink(this.#aside!)
      return undefined
    }
    // Its user made a file where the name was missing: that is none of the versions, it is new.
    if (there) return { row: undefined, isHalf: true }
    // The directory is gone or went elsewhere, and nobody took this file out of it: the old content is in the
    // trash, the new one comes again.
    if (this.#stat(dirname(this.#to!))?.kind !== 'dir') return { row: undefined, isHalf: true }
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
    if (!this.#isAsideRows()) {
      this.#returnUsersFile()
      return undefined
    }
    // What stands there now is the next step's, or new.
    return { row: undefined }
  }

  /** Whoever made it: as in a pass, the same directory is this one. */
  #settleDirectory(): { readonly row: SyncedRow } | undefined {
    const stat = this.#stat(this.#to)
    return stat?.kind === 'dir' ? { row: this.#rowOf(stat, stat) } : undefined
  }

  #settleMode(): { readonly row: SyncedRow } | undefined {
    const stat = this.#stat(this.#to)
    if (!stat || !this.#isRow(stat)) return undefined
    const isExecutable = (stat.mode & 0o100) !== 0
    return isExecutable === this.intent.after!.entry.executable ? { row: this.#rowOf(stat, stat) } : undefined
  }

  #settleMove(): { readonly row: SyncedRow } | undefined {
    const held = this.#stat(this.#aside)
    const target = this.#stat(this.#to)
    if (held && this.#aside !== undefined) {
      // Between taking the first name away and looking at it.
      if (this.#hasRowsInode(held) && target && this.#hasRowsInode(target)) this.ctx.files.unlink(this.#aside)
      else this.#putBack(this.#aside)
    }
    const source = this.#stat(this.#from)
    const isThere = target !== undefined && this.#hasRowsInode(target)
    if (!isThere && !this.#hasLeft(source)) return undefined
    if (source && this.#hasRowsInode(source) && this.#row!.entry.kind !== 'dir') {
      this.#takeFirstName()
    }
    const { after, type } = this.intent
    if (type === 'lift' || !after) return undefined
    return { row: this.#movedRow(isThere ? this.#stat(this.#to) : undefined) }
  }

  /** Both names are there: the first is ours to take away, unless somebody saves over it at this moment. */
  #takeFirstName(): void {
    const isInStaging = this.intent.type === 'land'
    if (isInStaging || this.#aside === undefined) {
      this.ctx.files.unlink(this.#from!)
      return
    }
    this.ctx.files.rename(this.#from!, this.#aside)
    const held = this.#stat(this.#aside)
    if (held && this.#hasRowsInode(held)) this.ctx.files.unlink(this.#aside)
    else if (held) this.#putBack(this.#aside)
  }

  /** Whether what waited in staging has had its place, although it is not there: its user has moved it on. */
  #hasLeft(source: FileStat | undefined): boolean {
    if (this.intent.type !== 'land' || !this.#row) return false
    return !source || (this.#hasRowsInode(source) && source.nlink > this.#row.fingerprint.nlink)
  }

  #movedRow(stat: FileStat | undefined): SyncedRow {
    const row = this.#rowOf(stat, this.#row!.fingerprint)
    return { ...row, key: this.intent.shown ? this.intent.key : this.#row!.key }
  }

  #returnUsersFile(): void {
    if (!this.#stat(this.#aside) || this.#isAsideRows()) return
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

  /**
   * @param stat What stands there at this moment: looked at once, for what happens between two looks is the
   *   user's.
   * @param ours The stamps that it has if it is what the effect put there. Nobody looked since: of a file
   *   they prove nothing, it is read again.
   */
  #rowOf(stat: FileStat | undefined, ours: Fingerprint): SyncedRow {
    const { dir, localName, entry } = this.intent.after!
    const isOurs = stat !== undefined && (stat.kind === 'dir' ? isInode(stat, ours) : sameFile(stat, ours))
    // Whether it may be executed now is its user's doing, for the next scan to see.
    const fingerprint = { ...stamps(isOurs ? stat : ours), mode: ours.mode }
    const row = { key: this.intent.key, dir, localName, entry, fingerprint }
    return entry.kind === 'file' ? { ...row, racy: true } : row
  }

  #stat(path: string | undefined): FileStat | undefined {
    if (path === undefined) return undefined
    const { files, directory } = this.ctx
    const relative = path === directory ? '' : relativeTo(directory, path)
    // Where staging and trash are is their owner's affair: they may have been moved to another disk.
    return relative.split(sep)[0] === RESERVED_NAME
      ? files.lstat(path)
      : lstatBelow(files, directory, relative)
  }

  #hasRowsInode(stat: Fingerprint): boolean {
    const row = this.#row?.fingerprint
    return row !== undefined && isInode(stat, row)
  }

  #isAsideRows(): boolean {
    return this.#row !== undefined && isRowAside(this.ctx.files, this.#aside!, this.#row)
  }

  #isRow(stat: Fingerprint): boolean {
    return this.#row !== undefined && sameFile(stat, this.#row.fingerprint)
  }
}
