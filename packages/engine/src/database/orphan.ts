import {
  type ChunkId,
  decodeNodeEntry,
  encodeNodeEntry,
  type NodeEntry,
  type NodeId,
  ROOT,
} from '@tidemark/protocol'
import { covers } from '../core/register.js'
import type { NewContent, ParentRef, UserOp } from '../core/user-op.js'
import { suffixedName } from '../core/view/tags.js'
import { entryKey, type Version, type ViewEntry } from '../core/view-entry.js'
import { isAlive, visibleContents } from '../core/visibility.js'
import { decodeEntry, encodeEntry } from './entry-row.js'
import type { TreeReader } from './tree-reader.js'

/** A version, or a directory, that only this replica has, and that it forgets. */
export interface Orphan {
  readonly node: NodeId
  readonly path: readonly string[]
  readonly entry: ViewEntry
  /** Of a version: its write, in a node without anything else. */
  readonly written?: NodeEntry | undefined
}

export function encodeOrphan({ path, entry, written }: Orphan): Uint8Array {
  const parts = [
    encoder.encode(JSON.stringify(path)),
    encodeEntry(entry),
    written ? encodeNodeEntry(written) : new Uint8Array(0),
  ]
  const out = new Uint8Array(parts.reduce((sum, part) => sum + 4 + part.length, 0))
  const view = new DataView(out.buffer)
  let at = 0
  for (const part of parts) {
    view.setUint32(at, part.length)
    out.set(part, at + 4)
    at += 4 + part.length
  }
  return out
}

export function decodeOrphan(bytes: Uint8Array): Orphan {
  const view = new DataView(bytes.buffer, bytes.byteOffset)
  let at = 0
  const next = (): Uint8Array => {
    const length = view.getUint32(at)
    const part = bytes.subarray(at + 4, at + 4 + length)
    at += 4 + length
    return part
  }
  const path = JSON.parse(decoder.decode(next())) as string[]
  const entry = decodeEntry(next())
  const written = next()
  return { node: entry.node, path, entry, written: written.length > 0 ? decodeNodeEntry(written) : undefined }
}

/** What the tree shows of the orphan's node, if the orphan was written over all of it: then it is an edit. */
export async function replacedBy(
  { node: id, written }: Orphan,
  tree: TreeReader,
): Promise<ViewEntry | undefined> {
  const node = await tree.node(id)
  const sibling = written?.content[0]
  if (!node || !sibling || !isAlive(node)) return undefined
  const isSeen = visibleContents(node).every((shown) => covers(sibling, shown))
  return isSeen ? tree.entry(id) : undefined
}

/** What makes an orphan a file again, at its place or beside what has that by now. */
export async function adoptOrphan(orphan: Orphan, tree: TreeReader): Promise<UserOp[]> {
  const { path, entry } = orphan
  const replaced = await replacedBy(orphan, tree)
  if (replaced && entry.version)
    return [{ type: 'edit', entry: entryKey(replaced), content: contentOf(entry.version) }]
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
      name: (await freeName(tree, parent, name, entry.node))!,
      kind: 'dir',
    })
    parent = { ref }
  }
  if (entry.kind === 'dir') return ops
  const name = path.at(-1)!
  const there = 'node' in parent ? await tree.lookup(parent.node, name) : undefined
  const { version, kind, executable } = entry
  if (!version || kind === 'mount' || there?.version?.root === version.root) return []
  const free = await freeName(tree, parent, name, entry.node, version.root)
  if (free === undefined) return []
  ops.push({
    type: 'create',
    ref: 'orphan',
    parent,
    name: free,
    kind,
    content: contentOf(version),
    executable,
  })
  return ops
}

export function contentOf({ root, height, size, mtimeMs, target }: Version): NewContent {
  return { root, height, size, mtimeMs, ...(target === undefined ? {} : { target }) }
}

/**
 * The name itself, or with so much of the node's id behind it that nothing else has it; `undefined`: a crash came
 * after the file had got it, and these bytes are there.
 */
async function freeName(
  tree: TreeReader,
  parent: ParentRef,
  name: string,
  node: NodeId,
  root?: ChunkId,
): Promise<string | undefined> {
  if ('ref' in parent) return name
  let free = name
  for (let length = MARK_LENGTH_MIN; ; length++) {
    const there = await tree.lookup(parent.node, free)
    if (!there) return free
    if (root !== undefined && there.version?.root === root) return undefined
    free = suffixedName(name, '', node, length)
  }
}

const MARK_LENGTH_MIN = 8
const encoder = new TextEncoder()
const decoder = new TextDecoder()
