import { bytesToHex, type ChunkId, type NodeId, ROOT, utf8Encode } from '@tidemark/protocol'
import type { NewContent, UserOp } from '../../core/user-op.js'
import { entryKey, type ViewEntry } from '../../core/view-entry.js'
import type { TreeReader } from '../../database/tree-reader.js'
import { nodeHasher } from '../../node/node-hasher.js'
import type { SeededRandom } from './random.js'

const NAMES = ['a', 'b', 'c'] as const

/** A file of one chunk with this text. */
export function contentOf(text: string): NewContent {
  const root = bytesToHex(nodeHasher.sha256(utf8Encode(text))) as ChunkId
  return { root, height: 0, size: text.length, mtimeMs: 1_000 }
}

/** Entries below a directory, all levels, each directory before what is in it. */
export async function entriesOf(tree: TreeReader, dir: NodeId = ROOT): Promise<ViewEntry[]> {
  const out: ViewEntry[] = []
  for await (const page of tree.children(dir)) out.push(...page)
  for (const entry of [...out]) if (entry.kind === 'dir') out.push(...(await entriesOf(tree, entry.node)))
  return out
}

/** One op on few entries, as fast as it can be chosen. The database refuses it when it no longer fits. */
export function quickOp(
  entries: readonly ViewEntry[],
  random: SeededRandom,
  newText: () => string,
): UserOp[] {
  const parent = { node: parentFrom(entries, random) }
  const name = random.pick(NAMES)
  const target = entries.length > 0 ? random.pick(entries) : undefined
  const choice = target ? random.below(12) : 0
  if (!target || choice < 3) {
    const kind = random.chance(0.25) ? 'dir' : 'file'
    const made = { type: 'create', ref: 'new', parent, name, kind } as const
    return [kind === 'dir' ? made : { ...made, content: contentOf(newText()) }]
  }
  const entry = entryKey(target)
  if (choice < 7 && target.kind === 'file') return [{ type: 'edit', entry, content: contentOf(newText()) }]
  if (choice < 9) return [{ type: 'move', entry, parent, name }]
  const isInside = entries.filter((other) => other.parent === target.node)
  if (isInside.length > 0) return [{ type: 'move', entry, parent, name }]
  return [{ type: 'delete', entry }]
}

function parentFrom(entries: readonly ViewEntry[], random: SeededRandom): NodeId {
  const dirs = entries.filter(({ kind }) => kind === 'dir')
  return dirs.length === 0 || random.chance(0.5) ? ROOT : random.pick(dirs).node
}
