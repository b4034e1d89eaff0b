import type { KeyValueOp } from '@tidemark/engine'
import type { FileStat, FileSystem } from '@tidemark/folder'
import { corrupted } from './blob-link.js'
import { hasher } from './hasher.js'
import type { PlantedBug } from './planted-bug.js'

/** Where a folder keeps what it was about to do (packages/folder/src/apply/journal.ts). */
const JOURNAL_KEY = 'apply/batch'

/** As an object of the class, but for the methods that are given. */
function withMethods<T extends object>(target: T, methods: Partial<T>): T {
  return new Proxy(target, {
    get(_, property) {
      const other: unknown = Reflect.get(methods, property)
      if (other !== undefined) return other
      const value: unknown = Reflect.get(target, property)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}

const isJournal = (op: KeyValueOp): boolean => op.type === 'put' && op.key === JOURNAL_KEY

/** What the program asks to be made durable is not. */
const lyingFsync: PlantedBug = {
  name: 'fsync that lies',
  files: (files) => withMethods(files, { fsync: () => undefined, syncAll: async () => undefined }),
}

/** Effects begin without a word about what they are going to be. */
const noIntent: PlantedBug = {
  name: 'rename without intent',
  space: (space) =>
    withMethods(space, {
      writeRows: (ops, options) =>
        space.writeRows(
          ops.filter((op) => !isJournal(op)),
          options,
        ),
    }),
}

/** The word about what is going to be done is durable when it has been done. */
const lateJournal: PlantedBug = {
  name: 'journal written after the effect',
  space: (space) => {
    let late: readonly KeyValueOp[] = []
    const settle = async (): Promise<void> => {
      const ops = late
      late = []
      if (ops.length > 0) await space.writeRows(ops, { sync: true })
    }
    return withMethods(space, {
      writeRows: async (ops, options) => {
        if (!ops.some(isJournal)) return space.writeRows(ops, options)
        late = ops
      },
      materialised: async (done, rows, options) => {
        await settle()
        await space.materialised(done, rows, options)
      },
    })
  },
}

/** Rows are durable before the names and bytes that they tell of: each request is granted with the next one. */
const rowsFirst: PlantedBug = {
  name: 'synced row before the rename is durable',
  files: (files) => {
    let pending: string | undefined
    const sync = (path: string): void => {
      if (pending !== undefined && files.lstat(pending)) files.fsync(pending)
      pending = path
    }
    return withMethods(files, { fsync: sync, syncAll: async (path) => sync(path) })
  },
  space: (space) =>
    withMethods(space, { materialised: (done, rows) => space.materialised(done, rows, { sync: true }) }),
}

/** What was seen when the folder was scanned is believed until it is scanned again. */
const noRestat: PlantedBug = {
  name: 'overwrite without a second look',
  files: (files) => {
    const seen = new Map<string, FileStat | undefined>()
    const looks: Looks = { isBlind: false }
    const own =
      <A extends unknown[], R>(call: (...args: A) => R) =>
      (...args: A): R => {
        // What it does itself it knows.
        for (const path of args) if (typeof path === 'string') seen.delete(path)
        return call(...args)
      }
    const blind = withMethods(files, {
      lstat: (path) => {
        const before = seen.get(path)
        if (looks.isBlind && before?.kind === 'file' && files.lstat(path)?.kind === 'file') return before
        const now = files.lstat(path)
        seen.set(path, now)
        return now
      },
      readdir: (path) => {
        looks.isBlind = false
        return files.readdir(path)
      },
      rename: own((from, to) => files.rename(from, to)),
      link: own((from, to) => files.link(from, to)),
      unlink: own((path) => files.unlink(path)),
      chmod: own((path, mode) => files.chmod(path, mode)),
    })
    LOOKS.set(blind, looks)
    return blind
  },
  space: (space, files) =>
    withMethods(space, {
      dirty: (limit) => {
        LOOKS.get(files)!.isBlind = true
        return space.dirty(limit)
      },
    }),
}

interface Looks {
  isBlind: boolean
}

/** What the space of a folder tells its disk. */
const LOOKS = new WeakMap<FileSystem, Looks>()

/** A directory that cannot be listed is taken for an empty one. */
const unlistedIsEmpty: PlantedBug = {
  name: 'unlisted directory read as deleted',
  files: (files) =>
    withMethods(files, {
      readdir: (path) => {
        try {
          return files.readdir(path)
        } catch (error) {
          if ((error as NodeJS.ErrnoException).code === 'EACCES') return []
          throw error
        }
      },
    }),
}

const HEAD_BYTES = 6

/** Bytes that a store made up pass for those that were asked for. */
const unverified: PlantedBug = {
  name: 'chunk not verified on read',
  hasher: () => {
    // Texts are ASCII, and what a lying store makes of them is not.
    const isMadeUp = (bytes: Uint8Array): boolean =>
      bytes.length >= HEAD_BYTES && bytes.subarray(0, HEAD_BYTES).every((byte) => byte >= 0x80)
    const hash = (bytes: Uint8Array): Uint8Array => hasher.sha256(isMadeUp(bytes) ? corrupted(bytes) : bytes)
    return { sha256: hash, sha256Async: async (bytes) => hash(bytes) }
  },
}

/** Mistakes at the level of folders; the tests say within how many seeds each is noticed. */
export const PLANTED_BUGS: readonly PlantedBug[] = [
  lyingFsync,
  noIntent,
  lateJournal,
  rowsFirst,
  noRestat,
  unlistedIsEmpty,
  unverified,
]
