import {
  type DeviceId,
  joinVectors,
  NO_SWEEP,
  type Open,
  type SyncPoint,
  type Vector,
  vectorAtMost,
} from '@tidemark/protocol'
import { isBehind } from '../core/collectable.js'
import type { SpaceDatabase } from '../database/space-database.js'
import type { SpaceExchangeOptions } from './space-exchange-options.js'

export interface Opening {
  readonly channel: number
  readonly peer: DeviceId
  /** Whether the peer may send entries. */
  readonly mayWrite: boolean
  /** This side is the hub of a device. */
  readonly isHubOverPeer: boolean
  readonly isPeerHub: boolean
  /** See `SpaceExchangeOptions.admits`. */
  readonly admits: boolean
}

/** What this side says of itself in an OPEN. */
export async function openingOf(
  database: SpaceDatabase,
  opening: Opening,
): Promise<Omit<Open, 'number' | 'answers' | 'anew'>> {
  const { channel, peer, mayWrite, isHubOverPeer, isPeerHub, admits } = opening
  const memory = await database.peer(peer)
  const { cursor, frontier } = memory
  // A hub does not begin anew for the sake of a replica.
  const basis = isHubOverPeer ? undefined : database.basisOf(memory)
  const applied = isHubOverPeer ? undefined : await database.gc.reflected()
  const isStranger = admits && database.gc.isStranger(peer)
  return {
    type: 'open',
    space: database.space,
    channel,
    frontier: database.frontier,
    ...(cursor ? { cursor } : {}),
    remembered: frontier,
    met: database.met,
    own: database.own,
    floor: isStranger ? await database.gc.reachable() : database.gc.floor,
    ...(isStranger ? { stranger: true } : {}),
    acked: isPeerHub ? new Map() : ((await database.gc.ackOf(peer))?.applied ?? new Map()),
    ...(mayWrite ? {} : { readOnly: true }),
    sweep: database.gc.sweep,
    ...(basis ? { basis } : {}),
    ...(applied ? { applied } : {}),
  }
}

/**
 * Whether it is this end that begins anew. Never a hub because of what a replica says; else the one that is behind;
 * of two that are behind each other the one with the greater id.
 */
export function yields(ends: SpaceExchangeOptions, areWe: boolean, areThey: boolean): boolean {
  const { database, peer, isHub = false, isPeerHub = false } = ends
  if (isHub !== isPeerHub) return isPeerHub
  return areWe && areThey ? database.device > peer : areWe
}

/**
 * Whether the peer has collected in the middle of this session what may still be here.
 *
 * @param floorBefore What it had collected when it said OPEN: what a round brought whose end claimed nothing of it is
 *   as old as that.
 */
export function isLeftBehind(
  { isCut, frontier }: SpaceDatabase,
  point: SyncPoint,
  floorBefore: Vector,
): boolean {
  // A false floor is for `syncPoint` to refuse; what is at or below the frontier was not cut.
  if (!vectorAtMost(point.floor, point.frontier)) return false
  if (isCut && !vectorAtMost(point.floor, joinVectors(floorBefore, frontier))) return true
  return isBehind({ frontier, remembered: new Map() }, { ...point, acked: new Map(), sweep: NO_SWEEP })
}
