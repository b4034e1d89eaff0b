import type { ChunkId, NodeId, NodeKind, ReplicaId } from '@tidemark/protocol'
import type { Version, ViewEntry } from '../core/view-entry.js'
import { decodeJson, encodeJson } from './json-row.js'

const KINDS: readonly NodeKind[] = ['file', 'dir', 'symlink', 'mount']
const ROLES: readonly ViewEntry['role'][] = ['main', 'conflict', 'clash']

/** Without names of fields: there is one row for each entry of the tree. */
type EntryTuple = readonly [
  kind: number,
  role: number,
  parent: NodeId,
  name: string,
  node: NodeId,
  executable: 0 | 1,
  /** 0: only `node`. */
  backing: readonly NodeId[] | 0,
  version: VersionTuple | 0,
]
type VersionTuple = readonly [
  root: ChunkId,
  height: number,
  size: number,
  mtimeMs: number,
  /** Replica, sequence number, and so on. */
  dots: readonly (ReplicaId | number)[],
  target?: string,
]

/** Rows that a transaction or a store in memory hands out again: decoded once. */
const DECODED = new WeakMap<Uint8Array, ViewEntry>()

export function encodeEntry(entry: ViewEntry): Uint8Array {
  const { kind, role, parent, name, node, executable, backing, version } = entry
  const tuple: EntryTuple = [
    KINDS.indexOf(kind),
    ROLES.indexOf(role),
    parent,
    name,
    node,
    executable ? 1 : 0,
    backing.length === 1 ? 0 : backing,
    version ? versionTuple(version) : 0,
  ]
  const row = encodeJson(tuple)
  DECODED.set(row, entry)
  return row
}

function versionTuple({ root, height, size, mtimeMs, dots, target }: Version): VersionTuple {
  const flat = dots.flatMap(({ rid, seq }) => [rid, seq])
  return target === undefined
    ? [root, height, size, mtimeMs, flat]
    : [root, height, size, mtimeMs, flat, target]
}

export function decodeEntry(row: Uint8Array): ViewEntry {
  const known = DECODED.get(row)
  if (known) return known
  const entry = readTuple(row)
  DECODED.set(row, entry)
  return entry
}

function readTuple(row: Uint8Array): ViewEntry {
  const [kind, role, parent, name, node, executable, backing, version] = decodeJson<EntryTuple>(row)!
  return {
    parent,
    name,
    kind: KINDS[kind]!,
    node,
    backing: backing === 0 ? [node] : backing,
    role: ROLES[role]!,
    executable: executable === 1,
    ...(version === 0 ? {} : { version: versionOf(version) }),
  }
}

function versionOf([root, height, size, mtimeMs, flat, target]: VersionTuple): Version {
  const dots = Array.from({ length: flat.length / 2 }, (_, i) => ({
    rid: flat[2 * i] as ReplicaId,
    seq: flat[2 * i + 1] as number,
  }))
  return { root, height, size, mtimeMs, dots, ...(target === undefined ? {} : { target }) }
}
