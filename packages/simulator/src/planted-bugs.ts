import { corrupted } from './blob-link.js'
import { hasher } from './hasher.js'
import type { PlantedBug } from './planted-bug.js'

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

/** What the program asks to be made durable is not. */
const lyingFsync: PlantedBug = {
  name: 'fsync that lies',
  files: (files) => withMethods(files, { fsync: () => undefined, syncAll: async () => undefined }),
}

/** What comes in is put over whatever stands at its place by now. */
const placedOver: PlantedBug = {
  name: 'a file is placed over what stands there',
  files: (files) =>
    withMethods(files, {
      link: (from, to) => {
        if (files.lstat(to)?.kind === 'file') files.unlink(to)
        files.link(from, to)
      },
    }),
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

/** A directory that nobody may enter is taken for an empty one. */
const unlistedIsEmpty: PlantedBug = {
  name: 'unlisted directory read as deleted',
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
  rowsFirst,
  placedOver,
  unlistedIsEmpty,
  unverified,
]
