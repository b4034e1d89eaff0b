import type { EntryKey, KeyValueOp, KeyValueReader, ViewEntry } from '@tidemark/engine'
import { type ChunkId, INLINE_BYTES_MAX, type NodeId, ROOT } from '@tidemark/protocol'
import { type Fingerprint, STAGING_DIR, type SyncedRow } from './rows.js'

/** What the database says about the bound directory itself. */
export interface BoundRoot {
  /** Also in the marker file: a folder without it is not the one that was bound. */
  readonly bindingId: string
  readonly dev: string
  readonly ino: string
  /** The first import has ended: from then on a missing file is a deletion. */
  readonly imported: boolean
}

/** A row before and after a change; a side that is absent has no row. */
export interface RowChange {
  readonly before: SyncedRow | undefined
  readonly after: SyncedRow | undefined
}

/**
 * Reads the synced rows. Nothing is kept in memory: the row stands under its directory and local name
 * (one range read a directory), with an index by entry key, one by inode, and one of large files by root.
 *
 * Writes are made as KeyValueOps by `rowOps`, so that they go into the batch of the commit or of the
 * materialisation that they belong to.
 */
export class RowsStore {
  readonly #kv: KeyValueReader

  constructor(kv: KeyValueReader) {
    this.#kv = kv
  }

  async get(key: EntryKey): Promise<SyncedRow | undefined> {
    const place = await this.#kv.get(keyIndex(key))
    if (place === undefined) return undefined
    const at = decoder.decode(place)
    const row = decodeSynced(at, await this.#kv.get(at))
    // Whatever an index says: never the row of another.
    return row?.key === key ? row : undefined
  }

  /** Rows of these keys, in order. Two reads however many keys. */
  async getMany(keys: readonly EntryKey[]): Promise<(SyncedRow | undefined)[]> {
    if (keys.length === 0) return []
    const places = (await this.#kv.getMany(keys.map(keyIndex))).map((place) => place && decoder.decode(place))
    const known = places.filter((place) => place !== undefined)
    const values = known.length === 0 ? [] : await this.#kv.getMany(known)
    let next = 0
    return places.map((place, i) => {
      const row = place === undefined ? undefined : decodeSynced(place, values[next++])
      return row?.key === keys[i] ? row : undefined
    })
  }

  /** What stands under a name on disk, by its directory's key (ROOT: the bound directory). */
  async at(dir: EntryKey, localName: string): Promise<SyncedRow | undefined> {
    const place = placeKey(dir, localName)
    return decodeSynced(place, await this.#kv.get(place))
  }

  /** As `at`, of several places in one read, in order. */
  async atMany(
    places: readonly Pick<SyncedRow, 'dir' | 'localName'>[],
  ): Promise<readonly (SyncedRow | undefined)[]> {
    if (places.length === 0) return []
    const keys = places.map(({ dir, localName }) => placeKey(dir, localName))
    const values = await this.#kv.getMany(keys)
    return keys.map((key, i) => decodeSynced(key, values[i]))
  }

  /**
   * The ops that make these changes, whatever the rows are by now: an entry has one row, and a place has one.
   * Changes of one batch belong into one call.
   *
   * @returns with them the rows of other entries that stood where one of these goes, and those of `changes` that
   *   another one of them overruled. They are gone with the ops; their entries must be marked as not shown.
   */
  async change(
    changes: readonly RowChange[],
  ): Promise<{ readonly ops: KeyValueOp[]; readonly displaced: readonly SyncedRow[] }> {
    if (changes.length === 0) return { ops: [], displaced: [] }
    const own = new Set(changes.flatMap(({ before, after }) => [...keyOf(before), ...keyOf(after)]))
    const [stored, occupants] = await Promise.all([
      this.getMany([...own]),
      this.atMany(changes.flatMap(({ after }) => after ?? [])),
    ])
    // Of two that go to one place the later one was looked at later.
    const atPlaces = new Map<string, SyncedRow>()
    for (const { after } of changes) if (after) atPlaces.set(placeKey(after.dir, after.localName), after)
    const afters = new Map<EntryKey, SyncedRow>()
    for (const after of atPlaces.values()) {
      // Of two things that became one entry it is the one that stands where the entry is.
      if (!afters.has(after.key) || isInPlace(after)) afters.set(after.key, after)
    }
    const kept = new Set(afters.values())
    const crowdedOut = changes.flatMap(({ after }) => (after && !kept.has(after) ? after : []))
    const others = occupants.filter((row) => row !== undefined && !own.has(row.key)) as SyncedRow[]
    const gone = [...stored.filter((row) => row !== undefined), ...others]
    const stale = new Set([...own].map(keyIndex))
    for (const row of gone) for (const key of indexKeys(row)) stale.add(key)
    for (const { before } of changes)
      if (before) for (const key of [inodeKey(before), ...rootKeys(before)]) stale.add(key)
    return { ops: opsOf(stale, [...afters.values()]), displaced: [...others, ...crowdedOut] }
  }

  /** All rows of one directory, by local name. */
  async inDirectory(dir: EntryKey): Promise<Map<string, SyncedRow>> {
    const rows = new Map<string, SyncedRow>()
    for await (const page of this.#kv.range(directoryRange(dir))) {
      for (const [place, value] of page) {
        const row = decodeSynced(place, value)!
        rows.set(row.localName, row)
      }
    }
    return rows
  }

  /** Whether a directory has any row. */
  async isEmpty(dir: EntryKey): Promise<boolean> {
    for await (const page of this.#kv.range(directoryRange(dir))) if (page.length > 0) return false
    return true
  }

  /** Rows of all versions of a file, by its node. */
  async ofNode(node: NodeId): Promise<SyncedRow[]> {
    const keys: EntryKey[] = []
    // ';' is the character after ':'.
    for await (const page of this.#kv.range({ gte: keyIndex(node), lt: `${keyIndex(node)};` })) {
      for (const [at] of page) keys.push(at.slice(2))
    }
    return (await this.getMany(keys)).filter((row) => row !== undefined)
  }

  /** Several rows share an inode where a file has several links. */
  async byInode(dev: string, ino: string): Promise<SyncedRow[]> {
    return (await this.byInodes(dev, [ino])).get(ino) ?? []
  }

  /** A row of a large file that was shown with this root, if there is one. */
  async byRoot(root: ChunkId): Promise<SyncedRow | undefined> {
    for await (const page of this.#kv.range(rangeBelow(`c/${root}/`))) {
      const rows = await this.getMany(page.map(([at]) => at.slice(at.lastIndexOf('/') + 1)))
      const found = rows.find((row) => row?.entry.version?.root === root)
      if (found) return found
    }
    return undefined
  }

  /** Rows of these inodes. Inodes that were made together lie together: one range read for neighbours. */
  async byInodes(dev: string, inos: readonly string[]): Promise<Map<string, SyncedRow[]>> {
    const wanted = new Set(inos.map(padInode))
    const sorted = [...wanted].sort()
    const keys: EntryKey[] = []
    for (let first = 0; first < sorted.length; ) {
      let last = first
      while (last + 1 < sorted.length && BigInt(sorted[last + 1]!) - BigInt(sorted[last]!) <= INODE_GAP)
        last++
      const range = { gte: `i/${dev}:${sorted[first]}/`, lt: `i/${dev}:${sorted[last]}0` }
      for await (const page of this.#kv.range(range)) {
        for (const [at] of page) {
          const [, inode, key] = at.split('/') as [string, string, EntryKey]
          if (wanted.has(inode.slice(inode.indexOf(':') + 1))) keys.push(key)
        }
      }
      first = last + 1
    }
    const found = new Map<string, SyncedRow[]>()
    for (const row of await this.getMany(keys)) {
      if (!row) continue
      const { ino } = row.fingerprint
      const rows = found.get(ino)
      if (rows) rows.push(row)
      else found.set(ino, [row])
    }
    return found
  }

  /**
   * Path on disk below the bound directory, segments joined by `/`; `undefined` while a directory above
   * it has no row.
   */
  async localPathOf(row: Pick<SyncedRow, 'dir' | 'localName'>): Promise<string | undefined> {
    const above = await this.pathOfDirectory(row.dir)
    if (above === undefined) return undefined
    return above === '' ? row.localName : `${above}/${row.localName}`
  }

  /** As `localPathOf`, by a directory's key; `''` for ROOT. */
  async pathOfDirectory(dir: EntryKey): Promise<string | undefined> {
    const names: string[] = []
    for (let key = dir; key !== ROOT; ) {
      const place = await this.#kv.get(keyIndex(key))
      if (place === undefined) return undefined
      const [parent, name] = splitPlace(decoder.decode(place))
      names.unshift(name)
      key = parent
    }
    return names.join('/')
  }

  /** Every row, in pages, in the order of directory keys. */
  async *all(): AsyncIterable<readonly SyncedRow[]> {
    for await (const page of this.#kv.range({ gte: 'd/', lt: 'd0' })) {
      yield page.map(([place, value]) => decodeSynced(place, value)!)
    }
  }

  /** Directories that have rows below them and none of their own, but for staging. Reads all keys. */
  async orphanDirectories(): Promise<EntryKey[]> {
    const orphans: EntryKey[] = []
    let last: EntryKey = ROOT
    for await (const page of this.#kv.range({ gte: 'd/', lt: 'd0' })) {
      const found: EntryKey[] = []
      for (const [place] of page) {
        const [dir] = splitPlace(place)
        if (dir === last) continue
        last = dir
        if (dir !== ROOT && dir !== STAGING_DIR) found.push(dir)
      }
      if (found.length === 0) continue
      const known = await this.#kv.getMany(found.map(keyIndex))
      for (const [i, dir] of found.entries()) if (known[i] === undefined) orphans.push(dir)
    }
    return orphans
  }

  /** How many rows there are. Reads all keys. */
  async count(): Promise<number> {
    let count = 0
    for await (const page of this.#kv.range({ gte: 'k/', lt: 'k0' })) count += page.length
    return count
  }

  async root(): Promise<BoundRoot | undefined> {
    const value = await this.#kv.get(ROOT_RECORD)
    return value === undefined ? undefined : (JSON.parse(decoder.decode(value)) as BoundRoot)
  }
}

/** As `RowsStore.change`, where all that is stored is known: rows may swap places in one call. */
export function rowOps(changes: readonly RowChange[]): KeyValueOp[] {
  const stale = new Set(changes.flatMap(({ before }) => (before ? indexKeys(before) : [])))
  return opsOf(
    stale,
    changes.flatMap(({ after }) => after ?? []),
  )
}

/** All keys that vanish first. */
function opsOf(stale: ReadonlySet<string>, afters: readonly SyncedRow[]): KeyValueOp[] {
  const puts = new Map<string, Uint8Array>()
  for (const after of afters) {
    const place = placeKey(after.dir, after.localName)
    puts.set(place, encodeSynced(after))
    puts.set(keyIndex(after.key), encoder.encode(place))
    for (const key of [inodeKey(after), ...rootKeys(after)]) puts.set(key, EMPTY)
  }
  const ops: KeyValueOp[] = []
  for (const key of stale) if (!puts.has(key)) ops.push({ type: 'del', key })
  for (const [key, value] of puts) ops.push({ type: 'put', key, value })
  return ops
}

const isInPlace = ({ dir, localName, entry }: SyncedRow): boolean =>
  entry.parent === dir && entry.name === localName.normalize('NFC')

const keyOf = (row: SyncedRow | undefined): EntryKey[] => (row ? [row.key] : [])

export function rootOps(root: BoundRoot): KeyValueOp[] {
  return [{ type: 'put', key: ROOT_RECORD, value: encoder.encode(JSON.stringify(root)) }]
}

const encoder = new TextEncoder()
const decoder = new TextDecoder()
const EMPTY = new Uint8Array(0)
const ROOT_RECORD = 'root'

const keyIndex = (key: EntryKey): string => `k/${key}`
const placeKey = (dir: EntryKey, localName: string): string => `d/${dir}/${encodeURIComponent(localName)}`
/** Decimal digits of 2^64: padded, numbers order like text. */
const padInode = (ino: string): string => ino.padStart(20, '0')
const inodeKey = ({ key, fingerprint: { dev, ino } }: SyncedRow): string => `i/${dev}:${padInode(ino)}/${key}`
/** Small files come with a request for many of them: nobody looks for a copy. */
function rootKeys({ key, entry: { version } }: SyncedRow): string[] {
  const isLarge = version !== undefined && (version.height > 0 || version.size > INLINE_BYTES_MAX)
  return isLarge ? [`c/${version.root}/${key}`] : []
}
/** Inodes this near each other are read in one range. */
const INODE_GAP = 256n

const indexKeys = (row: SyncedRow): string[] => [
  placeKey(row.dir, row.localName),
  keyIndex(row.key),
  inodeKey(row),
  ...rootKeys(row),
]

/** '0' is the character after '/'. */
const rangeBelow = (prefix: string): { gte: string; lt: string } => ({
  gte: prefix,
  lt: `${prefix.slice(0, -1)}0`,
})
const directoryRange = (dir: EntryKey) => rangeBelow(`d/${dir}/`)

function splitPlace(place: string): [dir: EntryKey, localName: string] {
  const slash = place.lastIndexOf('/')
  return [place.slice(2, slash), decodeURIComponent(place.slice(slash + 1))]
}

/** The row without what its key says, numbers in arrays: rows are read on every scan. */
type Packed = [
  key: EntryKey,
  entry: ViewEntry,
  fingerprint: [string, string, string, number, string, string, number, number],
  racy: 0 | 1,
]

function encodeSynced(row: SyncedRow): Uint8Array {
  const { dev, ino, birthtimeNs, size, mtimeNs, ctimeNs, mode, nlink } = row.fingerprint
  const packed: Packed = [
    row.key,
    row.entry,
    [dev, ino, birthtimeNs, size, mtimeNs, ctimeNs, mode, nlink],
    row.racy ? 1 : 0,
  ]
  return encoder.encode(JSON.stringify(packed))
}

function decodeSynced(place: string, value: Uint8Array | undefined): SyncedRow | undefined {
  if (value === undefined) return undefined
  const [key, entry, stamps, racy] = JSON.parse(decoder.decode(value)) as Packed
  const [dir, localName] = splitPlace(place)
  const [dev, ino, birthtimeNs, size, mtimeNs, ctimeNs, mode, nlink] = stamps
  const fingerprint: Fingerprint = { dev, ino, birthtimeNs, size, mtimeNs, ctimeNs, mode, nlink }
  return {
    key,
    dir,
    localName,
    entry,
    fingerprint,
    ...(racy ? { racy: true } : {}),
  }
}
