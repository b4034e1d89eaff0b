import type { KeyValueReader } from '@tidemark/engine'
import { type ChunkId, decodeNodeEntry, parseSpaceName } from '@tidemark/protocol'
import { BlobIndex } from '@tidemark/server-reference'
import { SPACE } from './device.js'

const NODES = { gte: `s/${SPACE}/r/n/`, lt: `s/${SPACE}/r/n0` }

/** Roots of files that a hub with this database tells others of, and of which it has nothing. Looks only. */
export async function rootsWithoutBytes(
  storage: KeyValueReader & ConstructorParameters<typeof BlobIndex>[0],
): Promise<ChunkId[]> {
  const roots = new Set<ChunkId>()
  for await (const page of storage.range(NODES)) {
    for (const [, row] of page) {
      const { kind, content } = decodeNodeEntry(row)
      if (kind !== 'file') continue
      for (const { value } of content) if (value.root !== undefined && value.size > 0) roots.add(value.root)
    }
  }
  const asked = [...roots]
  const places = await new BlobIndex(storage, { nowMs: () => 0 }).locators(parseSpaceName(SPACE), asked)
  return asked.filter((_, i) => places[i]!.length === 0)
}
