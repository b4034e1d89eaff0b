import type { FileStat, FileSystem } from '@tidemark/folder'
import { type PlantedBug, withMethods } from './planted-bug.js'

const lyingFsync: PlantedBug = {
  name: 'lying-fsync',
  about: 'What the program asks to be made durable is not.',
  files: (files) => withMethods(files, { fsync: () => undefined, syncAll: async () => undefined }),
}

const noFileFsync: PlantedBug = {
  name: 'no-fsync-of-files',
  about: 'Names are made durable, the bytes of staged files are not.',
  files: (files) => syncingOnly(files, 'dir'),
}

const noDirectoryFsync: PlantedBug = {
  name: 'no-fsync-of-directories',
  about: 'Bytes of files are made durable, the names that they get are not.',
  files: (files) => syncingOnly(files, 'file'),
}

function syncingOnly(files: FileSystem, kind: FileStat['kind']): FileSystem {
  return withMethods(files, {
    fsync: (path) => {
      if (files.lstat(path)?.kind === kind) files.fsync(path)
    },
    syncAll: async () => undefined,
  })
}

const placedOver: PlantedBug = {
  name: 'placed-over-what-stands-there',
  about: 'What comes in is put over whatever stands at its place by now.',
  files: (files) =>
    withMethods(files, {
      link: (from, to) => {
        if (files.lstat(to)?.kind === 'file') files.unlink(to)
        files.link(from, to)
      },
    }),
}

const unlistedIsEmpty: PlantedBug = {
  name: 'unlisted-read-as-deleted',
  about: 'A directory that nobody may enter is taken for an empty one.',
  files: (files) =>
    withMethods(files, {
      lstat: (path) => orIfDenied(() => files.lstat(path), undefined),
      readdir: (path) => orIfDenied(() => files.readdir(path), []),
    }),
}

function orIfDenied<T>(call: () => T, otherwise: T): T {
  try {
    return call()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EACCES') return otherwise
    throw error
  }
}

const removedForGood: PlantedBug = {
  name: 'removed-not-moved-aside',
  about:
    'What others deleted or replaced is unlinked at once instead of moved to the trash and looked at again.',
  files: (files) => {
    const looked = new Map<string, FileStat | undefined>()
    return withMethods(files, {
      lstat: (path) => {
        // The second look finds what the first one did.
        if (looked.has(path) && isTrash(path)) return looked.get(path)
        const stat = files.lstat(path)
        looked.set(path, stat)
        return stat
      },
      rename: (from, to) => {
        if (!isTrash(to) || files.lstat(from)?.kind !== 'file') return files.rename(from, to)
        files.unlink(from)
        looked.set(to, looked.get(from))
      },
    })
  },
}

const isTrash = (path: string): boolean => path.includes('/.tidemark/trash/')

const trashByClock: PlantedBug = {
  name: 'trash-emptied-by-the-clock',
  about: 'Things in the trash are as old as the wall clock says.',
  files: (files) =>
    withMethods(files, {
      readFile: (path) => {
        const bytes = files.readFile(path)
        if (!path.endsWith('/trash/ages.json')) return bytes
        const nowMs = clockOf(files, `${path}.now`)
        const { ages } = JSON.parse(Buffer.from(bytes).toString()) as { ages: Record<string, number> }
        const byClock = Object.keys(ages).map((group) => [group, nowMs - Number(group.split('-')[0])])
        return Buffer.from(JSON.stringify({ lookedMs: nowMs, ages: Object.fromEntries(byClock) }))
      },
    }),
}

/** What the disk stamps now. */
function clockOf(files: FileSystem, scratch: string): number {
  const { mtimeNs } = files.writeNew(scratch, new Uint8Array(), { mode: 0o600 })
  files.unlink(scratch)
  return Number(BigInt(mtimeNs) / 1_000_000n)
}

const hashByStamps: PlantedBug = {
  name: 'content-by-mtime',
  about: 'A file whose inode, size and modification time are known is not read again.',
  files: (files) => {
    const known = new Map<string, Uint8Array>()
    return withMethods(files, {
      readFile: (path) => {
        const stat = files.lstat(path)
        if (stat?.kind !== 'file') return files.readFile(path)
        const key = `${stat.ino} ${stat.size} ${stat.mtimeNs}`
        const bytes = known.get(key) ?? files.readFile(path)
        known.set(key, bytes)
        return bytes
      },
    })
  },
}

const overflowIgnored: PlantedBug = {
  name: 'overflow-of-events-ignored',
  about: 'Watch events are all there is: that some were dropped starts no scan.',
  watcher: (open) => (root, events) =>
    open(root, { ...events, hint: events.hint, overflow: () => undefined }),
}

export const DISK_BUGS: readonly PlantedBug[] = [
  lyingFsync,
  noFileFsync,
  noDirectoryFsync,
  placedOver,
  unlistedIsEmpty,
  removedForGood,
  trashByClock,
  hashByStamps,
  overflowIgnored,
]
