import type { KeyValueOp, SpaceBinding } from '@tidemark/engine'
import { rebasedJournal } from './apply/journal.js'
import type { Hold } from './holds.js'
import { type Home, prepareHome, readMarker, writeMarker } from './home.js'
import type { FileSystem } from './ports/file-system.js'
import { type BoundRoot, type RowsStore, rootOps, rowOps } from './rows-store.js'

export interface RootCheckOptions {
  readonly space: Pick<SpaceBinding, 'rows' | 'writeRows'>
  readonly rows: RowsStore
  readonly files: FileSystem
  readonly directory: string
  readonly home: Home
  /** Makes the id of a new binding. */
  readonly newId: () => string
}

/**
 * Makes sure that the directory is the one that was bound: an empty mount point, a folder of another
 * name or a restored database must not look like the deletion of everything.
 */
export async function checkRoot(options: RootCheckOptions): Promise<BoundRoot | Hold> {
  const { rows, files, directory, home } = options
  const known = await rows.root()
  const stat = files.lstat(directory)
  if (stat?.kind !== 'dir') return hold(options, `${directory} is not there, or is no directory`)
  const marker = readMarker(files, home)
  if (!known || marker !== known.bindingId) {
    const isNew = !known || (await rows.count()) === 0
    if (isNew && marker === undefined) return bindAnew(options)
    if (isNew) return hold(options, boundElsewhere(directory))
    return hold(
      options,
      `${home.marker} is missing or of another binding: another disk may be mounted here, or the folder was replaced`,
    )
  }
  if (known.dev === stat.dev && known.ino === stat.ino) return known
  return rebase(options, known)
}

/**
 * Two databases that take turns on one folder would each take what the other one did for its user's doing.
 * A database that was lost looks the same from here: only a person can tell.
 */
const boundElsewhere = (directory: string): string =>
  `${directory} is bound by another database: start with the state that it was bound with; or, if that is lost or no longer used here, accept binds the folder to this one`

/** Takes the directory as it is now for the bound one; one that another database has bound is bound anew. */
export async function acceptRoot(options: RootCheckOptions): Promise<BoundRoot | undefined> {
  const { rows, files, directory, home } = options
  if (files.lstat(directory)?.kind === 'dir' && !(await rows.root())) return bindAnew(options)
  const root = await rebaseRoot(options)
  if (root) writeMarker(files, home, root.bindingId)
  return root
}

/**
 * The rows can be compared with the directory as it is now; it is not taken for the bound one.
 * @returns `undefined`: it is none, or was never bound by this database.
 */
export async function rebaseRoot(options: RootCheckOptions): Promise<BoundRoot | undefined> {
  const { rows, files, directory, home } = options
  const known = await rows.root()
  if (!known || files.lstat(directory)?.kind !== 'dir') return undefined
  prepareHome(files, home)
  return rebase(options, known)
}

async function bindAnew({ space, files, directory, home, newId }: RootCheckOptions): Promise<BoundRoot> {
  prepareHome(files, home)
  const { dev, ino } = files.lstat(directory)!
  const root = { bindingId: newId(), dev, ino, imported: false }
  // In this order: a marker that no database knows looks like one of another database.
  await space.writeRows(rootOps(root), { sync: true })
  writeMarker(files, home, root.bindingId)
  return root
}

/** The same folder under another device number, as after a reboot, or copied to another disk. */
async function rebase(
  { space, rows, files, directory }: RootCheckOptions,
  known: BoundRoot,
): Promise<BoundRoot> {
  const { dev, ino } = files.lstat(directory)!
  const ops: KeyValueOp[] = []
  if (dev !== known.dev) {
    ops.push(...(await rebasedJournal(space.rows, known.dev, dev)))
    for await (const page of rows.all()) {
      const changes = page.map((before) => ({
        before,
        after: { ...before, fingerprint: { ...before.fingerprint, dev } },
      }))
      await space.writeRows(rowOps(changes), { sync: false })
    }
  }
  const root = { ...known, dev, ino }
  await space.writeRows([...ops, ...rootOps(root)], { sync: true })
  return root
}

async function hold({ rows }: RootCheckOptions, reason: string): Promise<Hold> {
  const entries = await rows.count()
  return { kind: 'folder', reason, deletes: entries, entries }
}
