import type { Vector } from '../context.js'
import type { DeviceId } from '../ids.js'

/** Who may write to the space, and its hubs. Only a hub changes it; whoever knows it tells it. */
export interface Members {
  readonly type: 'members'
  readonly channel: number
  /** Grows with every change; an acknowledgement counts under its own epoch only. */
  readonly epoch: number
  readonly devices: readonly DeviceId[]
}

/** How far members are: what all have applied and is dead may be collected. Never an answer to another one. */
export interface Acks {
  readonly type: 'acks'
  readonly channel: number
  readonly acks: readonly Ack[]
}

export interface Ack {
  readonly device: DeviceId
  readonly epoch: number
  /** All writes that the device's tree, and its disk where it has one, reflect. */
  readonly applied: Vector
  /** Up to where it has taken the first step of collection. */
  readonly stable: Vector
}
