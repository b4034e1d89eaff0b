import { type ChunkId, MTIME_MS_MAX, type NodeId, type NodeKind } from '@tidemark/protocol'
import type { EntryKey } from './view-entry.js'

/** Content that a user made; its chunks are known. */
export interface NewContent {
  readonly root: ChunkId
  readonly height: number
  readonly size: number
  /** Whole milliseconds since 1970; at most MTIME_MS_MAX, either side. */
  readonly mtimeMs: number
  /** Of a symlink: neither empty nor with NUL. */
  readonly target?: string
}

/** @throws {RangeError} no file may have this time. */
export function checkMtime(mtimeMs: number): void {
  if (Number.isInteger(mtimeMs) && Math.abs(mtimeMs) <= MTIME_MS_MAX) return
  throw new RangeError(`mtimeMs is not in whole milliseconds that a Date can say: ${mtimeMs}`)
}

/** @throws {TypeError} no peer would take a node of this kind with this content. */
export function checkTarget(kind: NodeKind, { target }: NewContent): void {
  if ((target !== undefined) !== (kind === 'symlink'))
    throw new TypeError(`content of a ${kind} ${target === undefined ? 'without' : 'with'} a target`)
  if (target === '' || target?.includes('\0')) throw new TypeError('a target is empty, or has NUL')
}

/**
 * A directory that an op names: one that the tree shows (its `node`), or one that an earlier op of the
 * same batch creates (its `ref`).
 */
export type ParentRef = { readonly node: NodeId } | { readonly ref: string }

interface OfShown {
  readonly entry: EntryKey
  /**
   * Whether the user saw a file that may be executed. A binder says so: it may show that before the rest of its
   * node. @default as the synced tree has it
   */
  readonly sawExecutable?: boolean
}

/** What a user did, in terms of the entries that the user saw. The order in a batch does not matter. */
export type UserOp =
  | {
      readonly type: 'create'
      /** Names the new entry for `ParentRef` and in the result. */
      readonly ref: string
      readonly parent: ParentRef
      readonly name: string
      readonly kind: 'file' | 'dir' | 'symlink'
      readonly content?: NewContent
      readonly executable?: boolean
      /** Deterministic id, for imports: two devices that import equal trees write equal nodes. */
      readonly import?: boolean
    }
  | (OfShown & { readonly type: 'edit'; readonly content: NewContent })
  | (OfShown & { readonly type: 'attr'; readonly executable: boolean })
  | (OfShown & { readonly type: 'move'; readonly parent: ParentRef; readonly name: string })
  | { readonly type: 'delete'; readonly entry: EntryKey }
  /**
   * Imports local bytes that stand where the tree shows a file that this device never had: a sibling
   * that observed nothing and ranks below every other. The shown version keeps the name.
   */
  | { readonly type: 'adopt'; readonly entry: EntryKey; readonly content: NewContent }
