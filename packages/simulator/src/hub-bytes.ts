import { type KeyValueReader, visibleContents } from '@tidemark/engine'
import { type ChunkId, decodeNodeEntry, type NodeEntry, parseSpaceName } from '@tidemark/protocol'
import { BlobIndex } from '@tidemark/server-reference'
import { SPACE } from './device.js'

const NODES = { gte: `s/${SPACE}/r/n/`, lt: `s/${SPACE}/r/n0` }

type Storage = KeyValueReader & ConstructorParameters<typeof BlobIndex>[0]

type ContentsOf = (entry: NodeEntry) => NodeEntry['content']

/** Most rows are as they were when they were looked at last: nobody writes into one. */
const toldBy = new WeakMap<Uint8Array, readonly ChunkId[]>()

/** Roots of files that a hub with this database tells others of, and of which it has nothing. Looks only. */
export const rootsWithoutBytes = (storage: Storage): Promise<ChunkId[]> =>
  withoutBytes(storage, (row) => {
    const known = toldBy.get(row) ?? rootsOf(row, ({ content }) => content)
    toldBy.set(row, known)
    return known
  })

/** The same, of files that it shows. */
export const shownWithoutBytes = (storage: Storage): Promise<ChunkId[]> =>
  withoutBytes(storage, (row) => rootsOf(row, visibleContents))

function rootsOf(row: Uint8Array, contentsOf: ContentsOf): ChunkId[] {
  const entry = decodeNodeEntry(row)
  if (entry.kind !== 'file') return []
  return contentsOf(entry).flatMap(({ value }) =>
    value.root !== undefined && value.size > 0 ? value.root : [],
  )
}

async function withoutBytes(
  storage: Storage,
  rootsIn: (row: Uint8Array) => readonly ChunkId[],
): Promise<ChunkId[]> {
  const roots = new Set<ChunkId>()
  for await (const page of storage.range(NODES)) {
    for (const [, row] of page) for (const root of rootsIn(row)) roots.add(root)
  }
  const asked = [...roots]
  const places = await new BlobIndex(storage, { nowMs: () => 0 }).locators(parseSpaceName(SPACE), asked)
  return asked.filter((_, i) => places[i]!.length === 0)
}
