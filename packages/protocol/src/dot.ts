import type { ReplicaId } from './ids.js'

/**
 * The name of one register write: (replica, sequence number from 1).
 * Source: Preguiça et al., Dotted Version Vectors, 2010.
 */
export interface Dot {
  readonly rid: ReplicaId
  readonly seq: number
}

/** A dot as a map key: `rid:seq`. */
export type DotKey = string
export const dotKey = (dot: Dot): DotKey => `${dot.rid}:${dot.seq}`
export const sameDot = (a: Dot, b: Dot): boolean => a.seq === b.seq && a.rid === b.rid

/** Total order: by replica id, then sequence number. */
export function compareDots(a: Dot, b: Dot): number {
  if (a.rid !== b.rid) return a.rid < b.rid ? -1 : 1
  return a.seq - b.seq
}
