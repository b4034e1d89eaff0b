import { type KeyValueReader, type MemoryKeyValueStore, visibleContents } from '@tidemark/engine'
import { type ChunkId, decodeNodeEntry, type NodeEntry, parseSpaceName } from '@tidemark/protocol'
import { BlobIndex } from '@tidemark/server-reference'
import { SPACE } from './space.js'

/** Rows of what the replica with this database has received. */
export const NODES = { gte: `s/${SPACE}/r/n/`, lt: `s/${SPACE}/r/n0` }

type Storage = KeyValueReader & ConstructorParameters<typeof BlobIndex>[0]

type ContentsOf = (entry: NodeEntry) => NodeEntry['content']

/** A file of which a hub tells. */
export interface HubContent {
  readonly root: ChunkId
  readonly size: number
}

/** Most rows are as they were when they were looked at last: nobody writes into one. */
const toldBy = new WeakMap<Uint8Array, readonly HubContent[]>()

/** Files that a hub with this database tells others of, and of which it has nothing. Looks only. */
export const toldWithoutBytes = (storage: Storage): Promise<HubContent[]> =>
  withoutBytes(storage, filesToldBy)

/** Files that a database tells of, all versions. Looks only. */
export const toldFiles = (storage: MemoryKeyValueStore): readonly HubContent[] =>
  storage.entries(NODES).flatMap(([, row]) => filesToldBy(row))

function filesToldBy(row: Uint8Array): readonly HubContent[] {
  const known = toldBy.get(row) ?? filesOf(row, ({ content }) => content)
  toldBy.set(row, known)
  return known
}

/** The same, of files that it shows. */
export const shownWithoutBytes = (storage: Storage): Promise<HubContent[]> =>
  withoutBytes(storage, (row) => filesOf(row, visibleContents))

function filesOf(row: Uint8Array, contentsOf: ContentsOf): HubContent[] {
  const entry = decodeNodeEntry(row)
  if (entry.kind !== 'file') return []
  return contentsOf(entry).flatMap(({ value: { root, size } }) =>
    root !== undefined && size > 0 ? { root, size } : [],
  )
}

async function withoutBytes(
  storage: Storage,
  filesIn: (row: Uint8Array) => readonly HubContent[],
): Promise<HubContent[]> {
  const files = new Map<ChunkId, HubContent>()
  for await (const page of storage.range(NODES)) {
    for (const [, row] of page) for (const file of filesIn(row)) files.set(file.root, file)
  }
  const asked = [...files.values()]
  const roots = asked.map(({ root }) => root)
  const places = await new BlobIndex(storage, { nowMs: () => 0 }).locators(parseSpaceName(SPACE), roots)
  return asked.filter((_, i) => places[i]!.length === 0)
}
