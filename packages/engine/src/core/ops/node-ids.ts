import {
  bytesToHex,
  type ChunkId,
  NODE_ID_BYTES,
  type NodeEntry,
  type NodeId,
  type NodeKind,
  type SpaceName,
  utf8Encode,
} from '@tidemark/protocol'
import type { Sha256 } from '../view/names.js'
import { isAlive, versions } from '../visibility.js'
import { type Place, placeOf } from './write-loc.js'

/**
 * The id of an imported entry: two devices that import equal trees write equal nodes. The first bytes of
 * SHA-256 over space, parent, kind, name and root, separated by NUL, which none of them contains.
 */
export function importNodeId(
  made: {
    readonly space: SpaceName
    readonly place: Place
    readonly kind: NodeKind
    /** Files and symlinks. */
    readonly root: ChunkId | undefined
  },
  sha256: Sha256,
): NodeId {
  const { space, place, kind, root } = made
  const text = [space, place.parent, kind, place.name, root ?? ''].join('\0')
  return bytesToHex(sha256(utf8Encode(text)).subarray(0, NODE_ID_BYTES)) as NodeId
}

/**
 * Whether a creation may be a new life of this node: it is unknown, or dead with this last place, or
 * stands here without being shown under its main name.
 *
 * @param entry What one tree holds of the node. Both trees must agree to it.
 * @param isOnDisk Whether that tree is the one that the user sees.
 */
export function mayReuse(
  entry: NodeEntry | undefined,
  kind: NodeKind,
  place: Place,
  isOnDisk: boolean,
): boolean {
  if (!entry) return true
  if (entry.kind !== kind) return false
  const last = placeOf(entry)
  if (last?.parent !== place.parent || last.name !== place.name) return false
  if (!isAlive(entry)) return true
  if (!isOnDisk) return true
  return kind !== 'dir' && versions(entry).winner === undefined
}
