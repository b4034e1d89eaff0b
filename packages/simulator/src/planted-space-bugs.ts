import { type ChunkedFile, type KeyValueOp, refusedRows, type SpaceBinding } from '@tidemark/engine'
import type { FileStat, FileSystem } from '@tidemark/folder'
import { corrupted } from './blob-link.js'
import { hasher } from './hasher.js'
import { type PlantedBug, withMethods } from './planted-bug.js'

const rowsFirst: PlantedBug = {
  name: 'row-before-the-rename',
  about:
    'Rows are durable before the names and bytes that they tell of: each request is granted with the next.',
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

/** What a program notes before it touches the disk. */
const isIntent = ({ type, key }: KeyValueOp): boolean => type === 'put' && key.startsWith('apply/')

const noIntent: PlantedBug = {
  name: 'rename-without-intent',
  about: 'Nothing is noted before files are put in place: after a crash nobody knows what was under way.',
  space: (space) =>
    withMethods(space, {
      writeRows: (ops, options) =>
        space.writeRows(
          ops.filter((op) => !isIntent(op)),
          options,
        ),
    }),
}

/** Intents that wait for the first effect, by the disk that the effect is on. */
const waitingIntents = new WeakMap<FileSystem, { write?: (() => void) | undefined }>()

const lateJournal: PlantedBug = {
  name: 'journal-after-the-effect',
  about: 'What is about to be done is noted when the first of it is done.',
  files: (files) => {
    const waiting: { write?: (() => void) | undefined } = {}
    const then = (): void => {
      waiting.write?.()
      waiting.write = undefined
    }
    const wrapped = withMethods(files, {
      rename: (from, to) => {
        files.rename(from, to)
        then()
      },
      link: (from, to) => {
        files.link(from, to)
        then()
      },
    })
    waitingIntents.set(wrapped, waiting)
    return wrapped
  },
  space: (space, files) => {
    const waiting = waitingIntents.get(files)!
    return withMethods(space, {
      writeRows: async (ops, options) => {
        if (!ops.some(isIntent)) return space.writeRows(ops, options)
        waiting.write = () => void space.writeRows(ops, options)
      },
    })
  },
}

/** What a program knows of a disk that it does not look at. */
interface Memory {
  readonly stats: Map<string, FileStat | undefined>
  /** Whether it looks. */
  looks: boolean
}

const memories = new WeakMap<FileSystem, Memory>()

const noSecondLook: PlantedBug = {
  name: 'overwrite-without-re-stat',
  about:
    'Changes of others are put on disk as the last scan saw it, without another look at what they replace.',
  files: (files) => {
    const memory: Memory = { stats: new Map(), looks: true }
    const { stats } = memory
    const wrapped = withMethods(files, {
      readdir: (path) => {
        memory.looks = true
        return files.readdir(path)
      },
      lstat: (path) => {
        if (!memory.looks && stats.get(path)?.kind === 'file') return stats.get(path)
        const stat = files.lstat(path)
        stats.set(path, stat)
        return stat
      },
      rename: (from, to) => {
        files.rename(from, to)
        stats.set(to, stats.get(from))
        stats.delete(from)
      },
      link: (from, to) => {
        files.link(from, to)
        for (const path of [from, to]) stats.delete(path)
      },
      unlink: (path) => {
        files.unlink(path)
        stats.delete(path)
      },
      chmod: (path, mode) => {
        files.chmod(path, mode)
        stats.delete(path)
      },
    })
    memories.set(wrapped, memory)
    return wrapped
  },
  space: (space, files) => {
    const memory = memories.get(files)!
    return withMethods(space, {
      dirty: (limit) => {
        memory.looks = false
        return space.dirty(limit)
      },
    })
  },
}

const bySize: PlantedBug = {
  name: 'dedupe-by-size',
  about: 'A file of a size that was seen before is taken for the one that had it.',
  space: (space) => {
    const known = new Map<number, ChunkedFile>()
    return withMethods(space, {
      chunk: async (source, options) => {
        const file = known.get(source.size) ?? (await space.chunk(source, options))
        known.set(source.size, file)
        return file
      },
    })
  },
}

const acknowledgedEarly: PlantedBug = {
  name: 'acknowledged-before-it-is-stored',
  about: 'A change is committed at once and its bytes are sent after it.',
  space: (space) => {
    let later: (() => void)[] = []
    return withMethods(space, {
      ensureStored: async (uploads, options) => {
        later.push(() => void space.ensureStored(uploads, options).catch(() => undefined))
      },
      commit: async (ops, rows) => {
        const result = await space.commit(ops, rows)
        const uploads = later
        later = []
        for (const upload of uploads) upload()
        return result
      },
    })
  },
}

const haveAll: PlantedBug = {
  name: 'hub-publishes-what-it-lacks',
  about: 'The hub says that it has every chunk, and passes on entries whose bytes it never got.',
  authority: (authority) => withMethods(authority, { need: async () => [] }),
}

const echo: PlantedBug = {
  name: 'received-file-sent-as-own',
  about: 'A file that was put in place is found by the next scan and sent as a new one of this device.',
  space: (space) =>
    afterPlacing(space, async ({ key, as }) => {
      if (as?.kind !== 'file' || !as.version) return
      const { name, parent, version, executable } = as
      const again = { ref: 'again', parent: { node: parent }, name, content: version, executable }
      await space.commit(
        [
          { type: 'delete', entry: key },
          { type: 'create', kind: 'file', ...again },
        ],
        noRows,
      )
    }),
}

const newestWins: PlantedBug = {
  name: 'winner-by-wall-clock',
  about: 'Of two versions only the one with the later modification time is kept.',
  space: (space) =>
    afterPlacing(space, async ({ key, as }) => {
      if (as?.role === 'conflict') await space.commit([{ type: 'delete', entry: key }], noRows)
    }),
}

const copiesAsFiles: PlantedBug = {
  name: 'conflict-copies-as-real-nodes',
  about: 'Whoever shows a conflict copy makes a file of it.',
  space: (space) =>
    afterPlacing(space, async ({ key, as }) => {
      if (as?.role !== 'conflict' || !as.version) return
      const { name, parent, version, executable } = as
      const file = { ref: 'copy', parent: { node: parent }, name, content: version, executable }
      await space.commit(
        [
          { type: 'delete', entry: key },
          { type: 'create', kind: 'file', ...file },
        ],
        noRows,
      )
    }),
}

const noRows = async () => ({ ops: [], touch: [] })

type Done = Parameters<SpaceBinding['materialised']>[0][number]

/** What came in is followed by something that no user asked for. */
function afterPlacing(space: SpaceBinding, act: (done: Done) => Promise<void>): SpaceBinding {
  return withMethods(space, {
    materialised: async (done, rows, options) => {
      await space.materialised(done, rows, options)
      for (const each of done) await act(each).catch(() => undefined)
    },
  })
}

const HEAD_BYTES = 6

const unverified: PlantedBug = {
  name: 'chunk-not-verified',
  about: 'Bytes that a store made up pass for those that were asked for.',
  hasher: () => {
    // Texts are ASCII, and what a lying store makes of them is not.
    const isMadeUp = (bytes: Uint8Array): boolean =>
      bytes.length >= HEAD_BYTES && bytes.subarray(0, HEAD_BYTES).every((byte) => byte >= 0x80)
    const hash = (bytes: Uint8Array): Uint8Array => hasher.sha256(isMadeUp(bytes) ? corrupted(bytes) : bytes)
    return { sha256: hash, sha256Async: async (bytes) => hash(bytes) }
  },
}

/** All that the folder's rows name, as if it had been marked. */
async function allRowKeys({ rows }: SpaceBinding): Promise<string[]> {
  const keys: string[] = []
  for await (const page of rows.range({ gte: 'k/', lt: 'k0' })) {
    for (const [key] of page) keys.push(key.slice('k/'.length))
  }
  return keys
}

const goesOn: PlantedBug = {
  name: 'goes-on-while-beginning-anew',
  about: 'A folder takes the empty tree of a database that begins anew for what others want.',
  space: (space) =>
    withMethods(space, {
      begunAnew: { phase: 'no', orphans: () => space.begunAnew.orphans(), settled: async () => undefined },
      dirty: async (limit) => {
        if (space.begunAnew.phase === 'here') await space.begunAnew.settled([])
        return space.begunAnew.phase === 'no' ? space.dirty(limit) : allRowKeys(space)
      },
    }),
}

const forgetsOwn: PlantedBug = {
  name: 'forgets-what-only-it-had',
  about: 'A folder that begins anew takes its own versions, which nobody else has, for those of the hub.',
  space: (space) =>
    withMethods(space, {
      begunAnew: withMethods(space.begunAnew, { orphans: async function* () {} }),
    }),
}

const noMarks: PlantedBug = {
  name: 'commit-without-marks',
  about: 'What a commit leaves otherwise on disk than the space shows it is not marked to be looked at.',
  space: (space) =>
    withMethods(space, {
      commit: (ops, rows) => space.commit(ops, async (result) => ({ ...(await rows(result)), touch: [] })),
    }),
}

const refusedUnheeded: PlantedBug = {
  name: 'refusals-unheeded',
  about: 'A folder does not read what the hub refused: it takes what was taken back for what others want.',
  space: (space) =>
    withMethods(space, {
      rows: withMethods(space.rows, {
        range: (range) => (range.gte === refusedRows.range.gte ? NO_PAGES : space.rows.range(range)),
      }),
    }),
}

const NO_PAGES = { async *[Symbol.asyncIterator]() {} }

export const SPACE_BUGS: readonly PlantedBug[] = [
  rowsFirst,
  noIntent,
  lateJournal,
  noSecondLook,
  bySize,
  acknowledgedEarly,
  haveAll,
  echo,
  newestWins,
  copiesAsFiles,
  unverified,
  goesOn,
  forgetsOwn,
  noMarks,
  refusedUnheeded,
]
