import type { SpaceBinding } from '@tidemark/engine'
import type { Hold } from './holds.js'
import { type Home, prepareHome, readMarker, writeMarker } from './home.js'
import type { FileSystem } from './ports/file-system.js'
import { type BoundRoot, type RowsStore, rootOps, rowOps } from './rows-store.js'

export interface RootCheckOptions {
  readonly space: Pick<SpaceBinding, 'writeRows'>
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
  if (!known) return bindAnew(options)
  if (readMarker(files, home) !== known.bindingId) {
    if ((await rows.count()) === 0) return bindAnew(options)
    return hold(
      options,
      `${home.marker} is missing or of another binding: another disk may be mounted here, or the folder was replaced`,
    )
  }
  if (known.dev === stat.dev && known.ino === stat.ino) return known
  return rebase(options, known)
}

/** Takes the directory as it is now for the bound one. */
export async function acceptRoot(options: RootCheckOptions): Promise<BoundRoot | undefined> {
  const { rows, files, directory, home } = options
  const known = await rows.root()
  if (!known || files.lstat(directory)?.kind !== 'dir') return undefined
  prepareHome(files, home)
  writeMarker(files, home, known.bindingId)
  return rebase(options, known)
}

async function bindAnew({ space, files, directory, home, newId }: RootCheckOptions): Promise<BoundRoot> {
  prepareHome(files, home)
  const { dev, ino } = files.lstat(directory)!
  const root = { bindingId: newId(), dev, ino, imported: false }
  writeMarker(files, home, root.bindingId)
  await space.writeRows(rootOps(root), { sync: true })
  return root
}

/** The same folder under another device number, as after a reboot, or copied to another disk. */
async function rebase(
  { space, rows, files, directory }: RootCheckOptions,
  known: BoundRoot,
): Promise<BoundRoot> {
  const { dev, ino } = files.lstat(directory)!
  if (dev !== known.dev) {
    for await (const page of rows.all()) {
      const changes = page.map((before) => ({
        before,
        after: { ...before, fingerprint: { ...before.fingerprint, dev } },
      }))
      await space.writeRows(rowOps(changes), { sync: false })
    }
  }
  const root = { ...known, dev, ino }
  await space.writeRows(rootOps(root), { sync: true })
  return root
}

async function hold({ rows }: RootCheckOptions, reason: string): Promise<Hold> {
  const entries = await rows.count()
  return { kind: 'folder', reason, deletes: entries, entries }
}
