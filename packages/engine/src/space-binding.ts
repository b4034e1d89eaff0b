import { DatabaseError, type SpaceName } from '@tidemark/protocol'
import type { Subject } from 'rxjs'
import type { SpaceBinding, WantedByHub } from './binding.js'
import { chunkSource } from './chunking/chunk-source.js'
import type { SpaceDatabase } from './database/space-database.js'
import type { Gear } from './ports/gear.js'
import type { Hasher } from './ports/hasher.js'
import type { RoundPatience } from './round-patience.js'
import type { SpaceLink } from './space-link.js'
import type { Downloader } from './transfer/downloader.js'
import type { UploadHint } from './transfer/upload-hints.js'
import type { Uploader } from './transfer/uploader.js'

export interface SpaceBindingParts {
  readonly name: SpaceName
  readonly database: SpaceDatabase
  readonly hasher: Hasher
  readonly gear: Gear | undefined
  readonly uploader: Uploader
  readonly downloader: Downloader
  readonly wanted: WantedByHub
  readonly wanted$: Subject<void>
  readonly hints$: Subject<UploadHint>
  readonly changed$: Subject<void>
  readonly patience: RoundPatience
  readonly link: Pick<SpaceLink, 'value' | 'state$'>
}

/** @throws {DatabaseError} BEGINS_ANEW */
function whileTogether<T>({ begunAnew }: SpaceDatabase, value: T): T {
  if (begunAnew.phase === 'no') return value
  throw new DatabaseError(
    'BEGINS_ANEW',
    'what this device knows comes from the hub again: wait until it is here',
  )
}

/** What a folder works on: two trees, its own rows, and the bytes. */
export function makeSpaceBinding(parts: SpaceBindingParts): SpaceBinding {
  const { database, hasher, gear, uploader, downloader, wanted, wanted$, hints$, changed$, patience, link } =
    parts
  return {
    received: database.received,
    synced: database.synced,
    rows: database.rows,
    writeRows: (ops, options) => database.writeRows(ops, options),
    chunk: (source, options) => chunkSource(source, { hasher, gear, ...options }),
    // Without a hub the folder itself is where the bytes are.
    store: (source, options) =>
      link.value.configured
        ? uploader.store(source, options)
        : chunkSource(source, { hasher, gear, ...options }),
    ensureStored: async (uploads, options) => {
      if (link.value.configured) await uploader.ensureStored(uploads, options)
    },
    fetch: (version, sink, options) => downloader.fetch(version, sink, options),
    fetchSmall: (roots, options) => downloader.fetchSmall(roots, options),
    hints$: hints$.asObservable(),
    fetchChunks: (chunks, sink, options) => downloader.fetchChunks(chunks, sink, options),
    wanted,
    wanted$: wanted$.asObservable(),
    // When its turn comes: the database may begin anew before that.
    commit: (ops, rows) => database.commit(async () => whileTogether(database, ops), rows),
    dirty: async (limit) => {
      if (database.begunAnew.phase !== 'no') return []
      return patience.isOver ? database.dirty(limit, true) : database.dirty(limit)
    },
    begunAnew: database.begunAnew,
    materialised: (done, rows, options) => database.materialised(done, rows, options),
    touch: (keys) => database.touch(keys),
    changed$: changed$.asObservable(),
    link$: link.state$,
  }
}
