import { type NodeId, ROOT } from '@tidemark/protocol'
import type { ParentRef, UserOp } from '../core/user-op.js'
import { suffixedName } from '../core/view/tags.js'
import type { ViewEntry } from '../core/view-entry.js'
import { decodeEntry, encodeEntry } from './entry-row.js'
import type { TreeReader } from './tree-reader.js'

/** A version, or a directory, that only this replica has, and that it forgets. */
export interface Orphan {
  readonly node: NodeId
  readonly path: readonly string[]
  readonly entry: ViewEntry
}

export function encodeOrphan({ path, entry }: Orphan): Uint8Array {
  const names = encoder.encode(JSON.stringify(path))
  const row = encodeEntry(entry)
  const out = new Uint8Array(4 + names.length + row.length)
  new DataView(out.buffer).setUint32(0, names.length)
  out.set(names, 4)
  out.set(row, 4 + names.length)
  return out
}

export function decodeOrphan(bytes: Uint8Array): Orphan {
  const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0)
  const path = JSON.parse(decoder.decode(bytes.subarray(4, 4 + length))) as string[]
  const entry = decodeEntry(bytes.subarray(4 + length))
  return { node: entry.node, path, entry }
}

/** What makes an orphan a file again, at its place or beside what has that by now. */
export async function adoptOrphan({ path, entry }: Orphan, tree: TreeReader): Promise<UserOp[]> {
  const ops: UserOp[] = []
  let parent: ParentRef = { node: ROOT }
  for (const [depth, name] of (entry.kind === 'dir' ? path : path.slice(0, -1)).entries()) {
    const there: ViewEntry | undefined = 'node' in parent ? await tree.lookup(parent.node, name) : undefined
    if (there?.kind === 'dir') {
      parent = { node: there.node }
      continue
    }
    const ref = `dir ${depth}`
    ops.push({
      type: 'create',
      ref,
      parent,
      name: await freeName(tree, parent, name, entry.node),
      kind: 'dir',
    })
    parent = { ref }
  }
  if (entry.kind === 'dir') return ops
  const name = path.at(-1)!
  const there = 'node' in parent ? await tree.lookup(parent.node, name) : undefined
  const { version, kind, executable } = entry
  if (!version || kind === 'mount' || there?.version?.root === version.root) return []
  const { root, height, size, mtimeMs, target } = version
  ops.push({
    type: 'create',
    ref: 'orphan',
    parent,
    name: await freeName(tree, parent, name, entry.node),
    kind,
    content: { root, height, size, mtimeMs, ...(target === undefined ? {} : { target }) },
    executable,
  })
  return ops
}

/** The name itself, or with so much of the node's id behind it that nothing else has it. */
async function freeName(tree: TreeReader, parent: ParentRef, name: string, node: NodeId): Promise<string> {
  if ('ref' in parent) return name
  let free = name
  for (let length = MARK_LENGTH_MIN; await tree.lookup(parent.node, free); length++) {
    free = suffixedName(name, '', node, length)
  }
  return free
}

const MARK_LENGTH_MIN = 8
const encoder = new TextEncoder()
const decoder = new TextDecoder()
