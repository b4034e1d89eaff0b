import {
  type Hlc,
  type NodeEntry,
  ProtocolError,
  RESERVED_NAME,
  type Register,
  type ReplicaId,
  ROOT,
  type Sibling,
  sameDot,
  type Vector,
  vectorHas,
} from '@tidemark/protocol'

/**
 * What no honest peer sends: the root as a node, the reserved directory, a dot of our own incarnation that
 * we never wrote.
 *
 * @throws {ProtocolError} BAD_ENTRY.
 */
export function checkIncoming(entry: NodeEntry, own: ReplicaId | undefined, frontier: Vector): void {
  if (entry.id === ROOT) throw new ProtocolError('BAD_ENTRY', 'the root has no registers')
  for (const { value } of entry.loc) {
    if (value.parent === ROOT && value.name === RESERVED_NAME) {
      throw new ProtocolError('BAD_ENTRY', `${RESERVED_NAME} is reserved`)
    }
  }
  for (const { dot } of siblingsOf(entry)) {
    if (dot.rid === own && !vectorHas(frontier, dot)) {
      throw new ProtocolError('BAD_ENTRY', 'a peer sent a write of ours that we never made')
    }
  }
}

/**
 * The ignore rule: a sibling that the frontier holds and the register does not was superseded or collected
 * here; it does not come back.
 */
export function dropIgnored(entry: NodeEntry, known: NodeEntry | undefined, frontier: Vector): NodeEntry {
  const keep = <V>(incoming: Register<V>, held: Register<V>): Register<V> => {
    const kept = incoming.filter(
      ({ dot }) => !vectorHas(frontier, dot) || held.some((sibling) => sameDot(sibling.dot, dot)),
    )
    return kept.length === incoming.length ? incoming : kept
  }
  const loc = keep(entry.loc, known?.loc ?? [])
  const content = keep(entry.content, known?.content ?? [])
  const attr = keep(entry.attr, known?.attr ?? [])
  if (loc === entry.loc && content === entry.content && attr === entry.attr) return entry
  return { ...entry, loc, content, attr }
}

/** Only the siblings that a peer with this frontier lacks; `undefined` when there are none. */
export function newerThan(entry: NodeEntry, frontier: Vector): NodeEntry | undefined {
  const lacks = ({ dot }: Sibling<unknown>): boolean => !vectorHas(frontier, dot)
  const loc = entry.loc.filter(lacks)
  const content = entry.content.filter(lacks)
  const attr = entry.attr.filter(lacks)
  const count = loc.length + content.length + attr.length
  if (count === 0) return undefined
  if (count === entry.loc.length + entry.content.length + entry.attr.length) return entry
  return { ...entry, loc, content, attr }
}

/** The stamps of all siblings. */
export const stampsOf = (entry: NodeEntry): Hlc[] => siblingsOf(entry).map((sibling) => sibling.hlc)

/** Of all registers. */
export function siblingsOf(entry: NodeEntry): readonly Sibling<unknown>[] {
  return [...entry.loc, ...entry.content, ...entry.attr]
}
