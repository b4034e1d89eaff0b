import { bytesToHex, hexToBytes, type NodeEntry, type NodeId, type NodeKind, ROOT } from '@tidemark/protocol'
import type { EntryKey, ViewEntry } from '../core/view-entry.js'
import type { KeyRange, KeyValueReader } from '../ports/key-value-store.js'
import { decodeEntry } from './entry-row.js'
import { decodeJson as decodeRow, encodeJson as encodeRow } from './json-row.js'
import type { NodeRows } from './node-row.js'

/** What the view keeps of a directory, or of a parent that is not known yet. */
export interface DirRow {
  /** Children in the upward closure whose chosen loc names this node as parent. */
  up: number
  /** In the upward closure: alive, or with a living descendant. Only for directories with a place. */
  inU: boolean
  /** The parent whose `up` counts this directory; absent while it is not in the closure. */
  at?: NodeId | undefined
  /** Representative of the merged directory: the least id that shares its entry. */
  rep: NodeId
  /** Nodes to be placed again when this directory enters or leaves the closure. */
  waiting: number
}

/** One name in one (merged) directory: the nodes that carry it literally, and what is shown there. */
export interface SlotRow {
  /** Nodes with this literal name, ascending. */
  ids: readonly NodeId[]
  /** Entries that these nodes show, under this name or a suffixed one. */
  keys: readonly EntryKey[]
  /** Some node claims the literal name. */
  claimed: boolean
  /** The entry that is shown under this name. */
  taken?: EntryKey | undefined
}

export { decodeEntry } from './entry-row.js'
export { decodeJson as decodeRow, encodeJson as encodeRow } from './json-row.js'

const freshDir = (id: NodeId): DirRow => ({ up: 0, inU: id === ROOT, rep: id, waiting: 0 })

export const decodeDir = (bytes: Uint8Array | undefined, id: NodeId): DirRow =>
  decodeRow<DirRow>(bytes) ?? freshDir(id)

/** @returns nothing when the row says what its absence says. */
export function encodeDir(row: DirRow, id: NodeId): Uint8Array | undefined {
  const { up, inU, at, rep, waiting } = row
  if (up === 0 && inU === (id === ROOT) && rep === id && waiting === 0) return undefined
  return encodeRow({ up, inU, ...(at === undefined ? {} : { at }), rep, waiting })
}

const SINGLE_BYTES = 16

/** One node that shows itself under its own name, by far the most frequent row, is just the node's id. */
export function encodeSlot({ ids, keys, claimed, taken }: SlotRow): Uint8Array | undefined {
  const id = ids[0]
  if (id === undefined && taken === undefined) return undefined
  if (
    id !== undefined &&
    ids.length === 1 &&
    keys.length === 1 &&
    keys[0] === id &&
    taken === id &&
    claimed
  ) {
    return hexToBytes(id)
  }
  return encodeRow({ ids, keys, claimed, ...(taken === undefined ? {} : { taken }) })
}

export function decodeSlot(bytes: Uint8Array | undefined): SlotRow {
  if (bytes?.length === SINGLE_BYTES) {
    const id = bytesToHex(bytes) as NodeId
    return { ids: [id], keys: [id], claimed: true, taken: id }
  }
  return decodeRow<SlotRow>(bytes) ?? { ids: [], keys: [], claimed: false }
}

/** What an escape leaves as it is: nearly every name is made of these alone. */
const PLAIN = /^[\w.~!*'()-]*$/

const escapeName = (name: string): string => (PLAIN.test(name) ? name : encodeURIComponent(name))

/** Keys of one tree's rows. Names are escaped to ASCII. */
export class TreeKeys {
  readonly #prefix: string

  constructor(prefix: string) {
    this.#prefix = prefix
  }

  /** Registers. */
  node = (id: NodeId): string => `${this.#prefix}n/${id}`
  allNodes = (): KeyRange => this.#range('n/')
  /** A node that died at this place. */
  grave = (kind: NodeKind, parent: NodeId, name: string): string =>
    `${this.#prefix}x/${kind}/${parent}/${escapeName(name)}`
  /** Nodes that are dead by themselves. */
  dead = (id: NodeId): string => `${this.#prefix}g/${id}`
  allDead = (): KeyRange => this.#range('g/')
  /** `DirRow`. */
  dir = (id: NodeId): string => `${this.#prefix}d/${id}`
  /** Directories that were cut from a cycle, or wait for their parent and have a choice: their place. */
  loose = (id: NodeId): string => `${this.#prefix}p/${id}`
  allLoose = (): KeyRange => this.#range('p/')
  /** Other nodes without their parent: placed again when `dir` enters or leaves the closure. */
  waiting = (dir: NodeId, id: NodeId): string => `${this.#prefix}w/${dir}/${id}`
  waitingFor = (dir: NodeId): KeyRange => this.#range(`w/${dir}/`)
  /** `SlotRow`. */
  slot = (parent: NodeId, name: string): string => `${this.#prefix}s/${parent}/${escapeName(name)}`
  slotsOf = (parent: NodeId): KeyRange => this.#range(`s/${parent}/`)
  /** Names that begin like this; '\x7f' is above every character of an escaped name. */
  slotsWithPrefix = (parent: NodeId, start: string): KeyRange => {
    const gte = this.slot(parent, start)
    return { gte, lt: `${gte}\x7f` }
  }
  /** `ViewEntry`. */
  entry = (key: EntryKey): string => `${this.#prefix}e/${key}`
  allEntries = (): KeyRange => this.#range('e/')

  /** '0' is the character after '/'. */
  #range(part: string): KeyRange {
    return { gte: this.#prefix + part, lt: `${this.#prefix}${part.slice(0, -1)}0` }
  }
}

/** The directory and the literal name in a slot's key. */
export function parseSlotKey(key: string): { parent: NodeId; name: string } {
  const end = key.lastIndexOf('/')
  return {
    parent: key.slice(end - 2 * SINGLE_BYTES, end) as NodeId,
    name: decodeURIComponent(key.slice(end + 1)),
  }
}

export const idOfKey = (key: string): NodeId => key.slice(key.lastIndexOf('/') + 1) as NodeId

export async function readNode(
  kv: KeyValueReader,
  keys: TreeKeys,
  rows: NodeRows,
  id: NodeId,
): Promise<NodeEntry | undefined> {
  const bytes = await kv.get(keys.node(id))
  return bytes === undefined ? undefined : rows.decode(bytes, id)
}

export async function readEntry(
  kv: KeyValueReader,
  keys: TreeKeys,
  key: EntryKey,
): Promise<ViewEntry | undefined> {
  const bytes = await kv.get(keys.entry(key))
  return bytes && decodeEntry(bytes)
}
