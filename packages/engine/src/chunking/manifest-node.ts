import {
  bytesToHex,
  CHUNK_BYTES_MAX,
  CHUNK_ID_BYTES,
  type ChunkId,
  DecodeError,
  FILE_BYTES_MAX,
  LimitError,
  MANIFEST_HEIGHT_MAX,
} from '@tidemark/protocol'
import { CHUNK_CLASS_MAX, CHUNK_CLASS_MIN, chunkClass } from './chunk-class.js'

/**
 * A node of a manifest, as bytes:
 *
 *     magic "\x89TMN" · version 1 · level · class · [size] · count · ids, 32 bytes each · lengths
 *
 * level   1: the children are chunks; n: they are nodes of level n - 1.
 * class   0 on an inner node; on the root the chunk-size class of the file, and then `size` follows.
 * size, count and lengths are varints (7 bits a byte, low first, shortest form). A length is the plain
 * bytes below the child. Equal nodes are equal bytes: there is one encoding.
 */
export interface ManifestNode {
  readonly level: number
  /** Present on the root only. */
  readonly root?: ManifestRoot
  readonly children: readonly ManifestChild[]
}

export interface ManifestRoot {
  /** log2 of the average chunk, bytes: see `chunkClass`. */
  readonly chunkClass: number
  /** Bytes of the file. */
  readonly size: number
}

export interface ManifestChild {
  readonly id: ChunkId
  /** Plain bytes of the chunk, or below the node. */
  readonly length: number
}

const MAGIC = Uint8Array.of(0x89, 0x54, 0x4d, 0x4e)
const VERSION = 1
/** Children of one node; a bound of decoding and of building. */
export const MANIFEST_CHILDREN_MAX = 1_024
const VARINT_BYTES_MAX = 8
/** Bytes of any node; well below what fits a message. */
export const MANIFEST_NODE_BYTES_MAX =
  MAGIC.length + 3 + 2 * VARINT_BYTES_MAX + MANIFEST_CHILDREN_MAX * (CHUNK_ID_BYTES + VARINT_BYTES_MAX)

/** Whether bytes look like a node, of any version. */
export function beginsLikeManifestNode(bytes: Uint8Array): boolean {
  return bytes.length >= MAGIC.length && MAGIC.every((byte, i) => bytes[i] === byte)
}

/**
 * @param ids 32 bytes a child. @param lengths One a child.
 * Precondition: 1 to MANIFEST_CHILDREN_MAX children.
 */
export function encodeManifestNode(
  level: number,
  root: ManifestRoot | undefined,
  ids: Uint8Array,
  lengths: ArrayLike<number>,
): Uint8Array {
  const bytes = new Uint8Array(MANIFEST_NODE_BYTES_MAX)
  bytes.set(MAGIC)
  let at = MAGIC.length
  bytes[at++] = VERSION
  bytes[at++] = level
  bytes[at++] = root?.chunkClass ?? 0
  if (root) at = writeVarint(bytes, at, root.size)
  at = writeVarint(bytes, at, lengths.length)
  bytes.set(ids, at)
  at += ids.length
  for (let i = 0; i < lengths.length; i++) at = writeVarint(bytes, at, lengths[i]!)
  return bytes.slice(0, at)
}

/** @throws {DecodeError} no node, or not in its one encoding. @throws {LimitError} a bound is exceeded. */
export function decodeManifestNode(bytes: Uint8Array): ManifestNode {
  if (bytes.length > MANIFEST_NODE_BYTES_MAX) {
    throw new LimitError('manifest node: too long', 'MANIFEST_NODE_BYTES_MAX', bytes.length)
  }
  if (!beginsLikeManifestNode(bytes)) throw new DecodeError('manifest node: no magic')
  const reader = new NodeReader(bytes, MAGIC.length)
  const version = reader.byte()
  if (version !== VERSION) throw new DecodeError(`manifest node: unknown version ${version}`)
  const level = reader.byte()
  if (level < 1) throw new DecodeError('manifest node: level 0')
  if (level > MANIFEST_HEIGHT_MAX) {
    throw new LimitError('manifest node: level too high', 'MANIFEST_HEIGHT_MAX', level)
  }
  const root = reader.root()
  const count = reader.varint()
  if (count < 1) throw new DecodeError('manifest node: no children')
  if (count > MANIFEST_CHILDREN_MAX) {
    throw new LimitError('manifest node: too many children', 'MANIFEST_CHILDREN_MAX', count)
  }
  const ids = reader.bytes(count * CHUNK_ID_BYTES)
  const [lengthMax, lengthLimit] =
    level === 1 ? [CHUNK_BYTES_MAX, 'CHUNK_BYTES_MAX'] : [FILE_BYTES_MAX, 'FILE_BYTES_MAX']
  const children: ManifestChild[] = []
  let sum = 0
  for (let at = 0; at < ids.length; at += CHUNK_ID_BYTES) {
    const length = reader.varint()
    if (length < 1) throw new DecodeError('manifest node: an empty child')
    if (length > lengthMax) throw new LimitError('manifest node: a child is too long', lengthLimit, length)
    sum += length
    children.push({ id: bytesToHex(ids.subarray(at, at + CHUNK_ID_BYTES)) as ChunkId, length })
  }
  if (sum > FILE_BYTES_MAX) throw new LimitError('manifest node: too long a file', 'FILE_BYTES_MAX', sum)
  if (root && root.size !== sum) throw new DecodeError('manifest node: the lengths do not sum to the size')
  reader.end()
  return root ? { level, root, children } : { level, children }
}

function writeVarint(into: Uint8Array, offset: number, value: number): number {
  let at = offset
  let rest = value
  for (; rest >= 128; rest = Math.floor(rest / 128)) into[at++] = (rest % 128) | 128
  into[at++] = rest
  return at
}

class NodeReader {
  constructor(
    private readonly source: Uint8Array,
    private at: number,
  ) {}

  byte(): number {
    const byte = this.source[this.at++]
    if (byte === undefined) throw new DecodeError('manifest node: cut off')
    return byte
  }

  bytes(length: number): Uint8Array {
    if (length > this.source.length - this.at) throw new DecodeError('manifest node: cut off')
    this.at += length
    return this.source.subarray(this.at - length, this.at)
  }

  /** Below 2^53. */
  varint(): number {
    let value = 0
    let scale = 1
    for (let i = 0; i < VARINT_BYTES_MAX; i++) {
      const byte = this.byte()
      value += (byte & 127) * scale
      if (byte < 128) {
        if (byte === 0 && i > 0) throw new DecodeError('manifest node: a number is not in its shortest form')
        if (!Number.isSafeInteger(value)) break
        return value
      }
      scale *= 128
    }
    throw new DecodeError('manifest node: a number is too large')
  }

  root(): ManifestRoot | undefined {
    const found = this.byte()
    if (found === 0) return undefined
    if (found < CHUNK_CLASS_MIN || found > CHUNK_CLASS_MAX) {
      throw new DecodeError(`manifest node: unknown chunk-size class ${found}`)
    }
    const size = this.varint()
    if (size > FILE_BYTES_MAX) throw new LimitError('manifest node: too long a file', 'FILE_BYTES_MAX', size)
    if (chunkClass(size) !== found) throw new DecodeError('manifest node: the class is not that of the size')
    return { chunkClass: found, size }
  }

  end(): void {
    if (this.at !== this.source.length) throw new DecodeError('manifest node: bytes after the end')
  }
}
