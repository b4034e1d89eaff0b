import { type KeyValueReader, visibleContents } from '@tidemark/engine'
import { type ChunkId, decodeNodeEntry, type NodeEntry, parseSpaceName } from '@tidemark/protocol'
import { BlobIndex } from '@tidemark/server-reference'
import { SPACE } from './device.js'

const NODES = { gte: `s/${SPACE}/r/n/`, lt: `s/${SPACE}/r/n0` }

type Storage = KeyValueReader & ConstructorParameters<typeof BlobIndex>[0]

/** Roots of files that a hub with this database tells others of, and of which it has nothing. Looks only. */
export const rootsWithoutBytes = (storage: Storage): Promise<ChunkId[]> =>
  withoutBytes(storage, ({ content }) => content)

/** The same, of files that it shows. */
export const shownWithoutBytes = (storage: Storage): Promise<ChunkId[]> =>
  withoutBytes(storage, visibleContents)

async function withoutBytes(
  storage: Storage,
  contentsOf: (entry: NodeEntry) => NodeEntry['content'],
): Promise<ChunkId[]> {
  const roots = new Set<ChunkId>()
  for await (const page of storage.range(NODES)) {
    for (const [, row] of page) {
      const entry = decodeNodeEntry(row)
      if (entry.kind !== 'file') continue
      for (const { value } of contentsOf(entry))
        if (value.root !== undefined && value.size > 0) roots.add(value.root)
    }
  }
  const asked = [...roots]
  const places = await new BlobIndex(storage, { nowMs: () => 0 }).locators(parseSpaceName(SPACE), asked)
  return asked.filter((_, i) => places[i]!.length === 0)
}
