import {
  bytesToHex,
  type ChunkId,
  ChunkMismatchError,
  DecodeError,
  MANIFEST_HEIGHT_MAX,
} from '@tidemark/protocol'
import type { Hasher } from '../ports/hasher.js'
import { decodeManifestNode, type ManifestChild } from './manifest-node.js'

/** Nodes of one level that are asked for together. */
const NODES_PER_FETCH = 16

/** One chunk of a file, or a node above several. */
export interface ManifestEntry {
  readonly id: ChunkId
  /** Bytes from the start of the file. */
  readonly offset: number
  /** Bytes. */
  readonly length: number
}

export interface ReadManifestOptions {
  /** The bytes of these nodes, in the same order. They are verified here. */
  fetchNodes(ids: readonly ChunkId[]): Promise<readonly Uint8Array[]>
  readonly hasher: Hasher
  /**
   * Whether what is below a node is of no use: it is not read, and its chunks are left out. Few nodes may name more
   * chunks than anybody can walk.
   * @param node Where it stands. @param level 1 above chunks.
   */
  skips?(node: ManifestEntry, level: number): boolean
}

/**
 * For `skips`, of one manifest: each node is read once, wherever it stands. Five of them can name 2^50 chunks. A node
 * that stands somewhere with another length or level is read there, and so refused.
 */
export function eachNodeOnce(): NonNullable<ReadManifestOptions['skips']> {
  const seen = new Set<string>()
  return ({ id, length }, level) => {
    const node = `${id} ${level} ${length}`
    const isSeen = seen.has(node)
    seen.add(node)
    return isSeen
  }
}

/**
 * The chunks of a file, in order. Holds at most a few nodes of each level.
 *
 * Every node is hashed, its level is one below its parent's, and the lengths below it sum to what the
 * parent says: whoever served the nodes, the entries are those that `root` names.
 *
 * @throws {DecodeError}, {LimitError} a node is none, or contradicts its parent, `height` or `size`.
 * @throws {ChunkMismatchError} a node's bytes are not what its id says.
 */
export async function* readManifest(
  root: ChunkId,
  height: number,
  size: number,
  options: ReadManifestOptions,
): AsyncGenerator<ManifestEntry, void, undefined> {
  if (height > MANIFEST_HEIGHT_MAX) throw new DecodeError(`manifest of ${height} levels`)
  if (height === 0) {
    yield { id: root, offset: 0, length: size }
    return
  }
  yield* readNodes([{ id: root, length: size }], height, 0, true, options)
}

async function* readNodes(
  nodes: readonly ManifestChild[],
  level: number,
  start: number,
  isRoot: boolean,
  options: ReadManifestOptions,
): AsyncGenerator<ManifestEntry, void, undefined> {
  let offset = start
  for (let from = 0; from < nodes.length; from += NODES_PER_FETCH) {
    const group: ManifestEntry[] = []
    for (const { id, length } of nodes.slice(from, from + NODES_PER_FETCH)) {
      const node = { id, offset, length }
      if (!options.skips?.(node, level)) group.push(node)
      offset += length
    }
    if (group.length === 0) continue
    const fetched = await options.fetchNodes(group.map(({ id }) => id))
    for (const [i, node] of group.entries()) {
      const children = checkNode(node, fetched[i], level, isRoot, options.hasher)
      if (level > 1) yield* readNodes(children, level - 1, node.offset, false, options)
      else {
        let at = node.offset
        for (const { id, length } of children) {
          yield { id, offset: at, length }
          at += length
        }
      }
    }
  }
}

function checkNode(
  { id, length }: ManifestChild,
  bytes: Uint8Array | undefined,
  level: number,
  isRoot: boolean,
  hasher: Hasher,
): readonly ManifestChild[] {
  if (bytes === undefined) throw new DecodeError('manifest: a node was not fetched')
  const actual = bytesToHex(hasher.sha256(bytes))
  if (actual !== id) throw new ChunkMismatchError(id, actual)
  const node = decodeManifestNode(bytes)
  if (node.level !== level)
    throw new DecodeError(`manifest: a node of level ${node.level} where ${level} belongs`)
  if ((node.root !== undefined) !== isRoot)
    throw new DecodeError('manifest: a root where none belongs, or none')
  const sum = node.children.reduce((total, child) => total + child.length, 0)
  if (sum !== length) throw new DecodeError('manifest: the lengths below a node are not what its parent says')
  return node.children
}
