import { type NodeId, ROOT } from '@tidemark/protocol'
import type { ViewEntry } from '../core/view-entry.js'
import type { KeyValueReader } from '../ports/key-value-store.js'
import { decodeEntry } from './entry-row.js'
import type { NodeRows } from './node-row.js'
import type { TreeReader } from './tree-reader.js'
import { decodeDir, decodeSlot, readEntry, readNode, type TreeKeys } from './tree-rows.js'

/** Reads one tree's rows. */
export function readTree(kv: KeyValueReader, keys: TreeKeys, rows: NodeRows): TreeReader {
  async function rep(dir: NodeId): Promise<NodeId> {
    if (dir === ROOT) return ROOT
    return decodeDir(await kv.get(keys.dir(dir)), dir).rep
  }

  async function lookup(parent: NodeId, name: string): Promise<ViewEntry | undefined> {
    const key = decodeSlot(await kv.get(keys.slot(await rep(parent), name))).taken
    return key === undefined ? undefined : readEntry(kv, keys, key)
  }

  return {
    node: (id) => readNode(kv, keys, rows, id),
    entry: (key) => readEntry(kv, keys, key),
    lookup,
    async *children(parent) {
      for await (const page of kv.range(keys.slotsOf(await rep(parent)))) {
        const taken = page.map(([, bytes]) => decodeSlot(bytes).taken).filter((key) => key !== undefined)
        const rows = await kv.getMany(taken.map(keys.entry))
        yield rows.flatMap((row) => (row ? [decodeEntry(row)] : []))
      }
    },
    async resolve(path) {
      let entry: ViewEntry | undefined
      for (const name of path) {
        if (entry && entry.kind !== 'dir') return undefined
        entry = await lookup(entry?.node ?? ROOT, name)
        if (!entry) return undefined
      }
      return entry
    },
    async pathOf(entry) {
      const names = [entry.name]
      let { parent } = entry
      while (parent !== ROOT) {
        const above = await readEntry(kv, keys, parent)
        if (!above) break
        names.unshift(above.name)
        parent = above.parent
      }
      return names
    },
  }
}
