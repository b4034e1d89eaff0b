/**
 * Identifiers. In memory every id is a lower-case hex string, so that it can be a map key and
 * compares like its bytes; on the wire and on disk it is the raw bytes (see `bytes.ts`).
 */
declare const brand: unique symbol
type Brand<T, B extends string> = T & { readonly [brand]: B }

/** One incarnation of a database: 8 bytes, 16 hex digits. Never a device (see `DeviceId`). */
export type ReplicaId = Brand<string, 'ReplicaId'>
/** One life of a database that was opened for writing: 8 bytes, 16 hex digits. */
export type RunId = Brand<string, 'RunId'>
/** A device or hub, stable over incarnations: 8 bytes, 16 hex digits. */
export type DeviceId = Brand<string, 'DeviceId'>
/** A file, directory, symlink or mount in a space: 16 bytes, 32 hex digits. */
export type NodeId = Brand<string, 'NodeId'>
/** SHA-256 of a chunk's (or manifest node's) plain bytes: 32 bytes, 64 hex digits. */
export type ChunkId = Brand<string, 'ChunkId'>
/** SHA-256 of a blob as it is stored: 32 bytes, 64 hex digits. */
export type BlobId = Brand<string, 'BlobId'>
/** A file on its way up, while it is (`Hint`); random, 8 bytes, 16 hex digits. */
export type UploadId = Brand<string, 'UploadId'>
/** What a replica shows, as one number (`Digest`): 32 bytes, 64 hex digits. */
export type StateDigest = Brand<string, 'StateDigest'>
/** Name of a space as peers say it: 1 to 64 of `[a-z0-9._-]`, starting with a letter or digit. */
export type SpaceName = Brand<string, 'SpaceName'>

/** The root directory of every space. It has no registers and cannot be moved or deleted. */
export const ROOT = '00000000000000000000000000000000' as NodeId

export const REPLICA_ID_BYTES = 8
export const NODE_ID_BYTES = 16
export const CHUNK_ID_BYTES = 32
export const STATE_DIGEST_BYTES = 32

function hexParser<T extends string>(label: string, bytes: number): (text: string) => T {
  const pattern = new RegExp(`^[0-9a-f]{${bytes * 2}}$`)
  return (text) => {
    if (!pattern.test(text)) throw new TypeError(`${label}: expected ${bytes * 2} lower-case hex digits`)
    return text as T
  }
}

/** @throws {TypeError} not 16 lower-case hex digits. */
export const parseReplicaId = hexParser<ReplicaId>('replica id', REPLICA_ID_BYTES)
/** @throws {TypeError} not 16 lower-case hex digits. */
export const parseRunId = hexParser<RunId>('run id', REPLICA_ID_BYTES)
/** @throws {TypeError} not 16 lower-case hex digits. */
export const parseDeviceId = hexParser<DeviceId>('device id', REPLICA_ID_BYTES)
/** @throws {TypeError} not 32 lower-case hex digits. */
export const parseNodeId = hexParser<NodeId>('node id', NODE_ID_BYTES)
/** @throws {TypeError} not 64 lower-case hex digits. */
export const parseChunkId = hexParser<ChunkId>('chunk id', CHUNK_ID_BYTES)
/** @throws {TypeError} not 64 lower-case hex digits. */
export const parseBlobId = hexParser<BlobId>('blob id', CHUNK_ID_BYTES)

/** @throws {TypeError} not 1 to 64 of `[a-z0-9._-]` starting with a letter or digit. */
export function parseSpaceName(text: string): SpaceName {
  if (!/^[a-z0-9][a-z0-9._-]{0,63}$/.test(text)) {
    throw new TypeError('space name: expected 1 to 64 of a-z 0-9 . _ - starting with a letter or digit')
  }
  return text as SpaceName
}
