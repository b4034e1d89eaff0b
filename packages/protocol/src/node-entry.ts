import type { Context } from './context.js'
import type { Dot } from './dot.js'
import type { Hlc } from './hlc.js'
import type { ChunkId, NodeId } from './ids.js'

export type NodeKind = 'file' | 'dir' | 'symlink' | 'mount'

/**
 * A field that a later minor version added: kept and sent on as it came, so that an old replica in the
 * middle loses nothing. Sorted by key.
 */
export interface ExtraField {
  /** The field's number on the wire. */
  readonly key: number
  /** Its value, MessagePack. */
  readonly value: Uint8Array
}

/** What every part of an entry carries along without understanding it. */
export interface Extensible {
  readonly extra?: readonly ExtraField[]
}

/** One of the concurrent values of a register. `y` covers `x` when `x.dot` is in `y.ctx`. */
export interface Sibling<V> extends Extensible {
  readonly dot: Dot
  readonly ctx: Context
  readonly hlc: Hlc
  readonly value: V
}

/** A register: siblings of which none covers another, sorted by dot. */
export type Register<V> = readonly Sibling<V>[]

/** Where a node stands, or that it was deleted. */
export interface Loc extends Extensible {
  readonly parent: NodeId
  /** UTF-8, NFC, 1 to 255 bytes, no `/`, no NUL, not `.` or `..`. */
  readonly name: string
  /** The parent that it was moved away from; present exactly on moves and renames. */
  readonly from?: NodeId
  readonly dead: boolean
  /** Content dots that a deletion knew; inherited by every later loc write that covers it. */
  readonly seen?: Context
  /** Content dots that a move carried: they stay visible although a covered `seen` names them. */
  readonly held?: readonly Dot[]
  /** This sibling only keeps a place that would have shifted: the dots of the writes it stands for. */
  readonly pin?: readonly Dot[]
  /** Shown under a suffix when it was pinned: never takes the literal name. */
  readonly alt?: boolean
}

/** What a file or symlink holds. A void (`root` absent) shows nothing. */
export interface Content extends Extensible {
  /** Root of the manifest, or the only chunk's id when `height` is 0. Absent: a void. */
  readonly root?: ChunkId
  /** Levels of manifest nodes above the chunks; 0 for a file of one chunk (an empty file too). */
  readonly height: number
  /** Bytes. */
  readonly size: number
  /** Milliseconds since 1970, as the writer's file system had it. */
  readonly mtimeMs: number
  /** Where a symlink points, verbatim; `root` is then the SHA-256 of its UTF-8 bytes. */
  readonly target?: string
  /** The root that the author's version was made from; for a later merge hook. */
  readonly base?: ChunkId
  /** Adopted by an import: ranks below every sibling that is not. */
  readonly adopted?: boolean
  /** On a void that removed the winner: the dots of the conflict copies that must stay copies. */
  readonly copies?: readonly Dot[]
  /**
   * Written again by whoever took back what a hub refused, for the writes of these dots: whoever has replaced these,
   * or has seen them when it deleted the file, has replaced or deleted this too.
   */
  readonly restores?: readonly Dot[]
}

export interface Attr extends Extensible {
  readonly executable: boolean
}

/** All registers of one node. One frame of the exchange carries whole entries, never one register. */
export interface NodeEntry extends Extensible {
  readonly id: NodeId
  readonly kind: NodeKind
  readonly loc: Register<Loc>
  readonly content: Register<Content>
  readonly attr: Register<Attr>
}
