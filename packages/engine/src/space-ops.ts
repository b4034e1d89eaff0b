import { type NodeId, PathError, parseRelativePath, ROOT } from '@tidemark/protocol'
import type { NewContent, UserOp } from './core/user-op.js'
import { entryKey, type Version, type ViewEntry } from './core/view-entry.js'
import type { TreeReader } from './database/tree-reader.js'

/** What the verbs of a space mean, in terms of the entries that the tree shows when their turn comes. */

/** @throws {PathError} NOT_FOUND, NOT_A_DIRECTORY, IS_A_DIRECTORY (the root), INVALID_NAME. */
async function place(tree: TreeReader, path: string): Promise<{ parent: NodeId; name: string }> {
  const segments = parseRelativePath(path)
  const name = segments.at(-1)
  if (name === undefined) throw new PathError('IS_A_DIRECTORY', path)
  return { parent: await mustDirectory(tree, segments.slice(0, -1)), name }
}

/** @throws {PathError} NOT_FOUND, NOT_A_DIRECTORY. */
export async function mustDirectory(tree: TreeReader, segments: readonly string[]): Promise<NodeId> {
  if (segments.length === 0) return ROOT
  const entry = await tree.resolve(segments)
  if (!entry) throw new PathError('NOT_FOUND', segments.join('/'))
  if (entry.kind !== 'dir') throw new PathError('NOT_A_DIRECTORY', segments.join('/'))
  return entry.node
}

/** @throws {PathError} NOT_FOUND. */
export async function mustResolve(tree: TreeReader, path: string): Promise<ViewEntry> {
  const entry = await tree.resolve(parseRelativePath(path))
  if (!entry) throw new PathError('NOT_FOUND', path)
  return entry
}

/**
 * A write on top of the version that its author saw is an edit; on top of anything else it becomes a
 * conflict copy beside what is shown.
 */
export async function writeOps(
  tree: TreeReader,
  path: string,
  write: {
    readonly content: NewContent
    readonly basedOn: Version | undefined
    readonly executable: boolean | undefined
  },
): Promise<UserOp[]> {
  const { content, basedOn, executable } = write
  const { parent, name } = await place(tree, path)
  const existing = await tree.lookup(parent, name)
  if (existing?.kind === 'dir') throw new PathError('IS_A_DIRECTORY', path)
  const isExecutable = executable === undefined ? {} : { executable }
  if (existing?.kind !== 'file') {
    const create: UserOp = {
      type: 'create',
      ref: 'new',
      parent: { node: parent },
      name,
      kind: 'file',
      content,
      ...isExecutable,
    }
    return existing ? [{ type: 'delete', entry: entryKey(existing) }, create] : [create]
  }
  const entry = entryKey(existing)
  if (basedOn?.root !== existing.version?.root) return [{ type: 'adopt', entry, content }]
  const edit: UserOp = { type: 'edit', entry, content }
  return executable === undefined ? [edit] : [edit, { type: 'attr', entry, executable }]
}

export async function mkdirOps(tree: TreeReader, path: string): Promise<UserOp[]> {
  const { parent, name } = await place(tree, path)
  if (await tree.lookup(parent, name)) throw new PathError('EXISTS', path)
  return [{ type: 'create', ref: 'new', parent: { node: parent }, name, kind: 'dir' }]
}

export async function moveOps(tree: TreeReader, from: string, to: string): Promise<UserOp[]> {
  const entry = await mustResolve(tree, from)
  const { parent, name } = await place(tree, to)
  const target = await tree.lookup(parent, name)
  if (target && entryKey(target) === entryKey(entry)) return []
  if (target) throw new PathError('EXISTS', to)
  if (`${to}/`.startsWith(`${from}/`)) throw new PathError('INVALID_NAME', to, `${to} is inside ${from}`)
  return [{ type: 'move', entry: entryKey(entry), parent: { node: parent }, name }]
}

export async function removeOps(tree: TreeReader, path: string, recursive: boolean): Promise<UserOp[]> {
  const entry = await mustResolve(tree, path)
  const ops: UserOp[] = [{ type: 'delete', entry: entryKey(entry) }]
  if (entry.kind === 'dir') await collectBelow(tree, entry.node, ops)
  if (ops.length > 1 && !recursive) throw new PathError('NOT_EMPTY', path)
  return ops
}

async function collectBelow(tree: TreeReader, dir: NodeId, ops: UserOp[]): Promise<void> {
  const below: NodeId[] = []
  for await (const page of tree.children(dir)) {
    for (const entry of page) {
      ops.push({ type: 'delete', entry: entryKey(entry) })
      if (entry.kind === 'dir') below.push(entry.node)
    }
  }
  for (const child of below) await collectBelow(tree, child, ops)
}
