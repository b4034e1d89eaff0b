import type { DeviceId, SpaceName } from '@tidemark/protocol'
import type { Sha256 } from '../core/view/names.js'
import type { ViewChange } from '../core/view-entry.js'
import type { Clock } from '../ports/clock.js'
import type { KeyValueStore } from '../ports/key-value-store.js'
import type { Random } from '../ports/random.js'

/** Who materialises the space. */
export type SpaceMode =
  /** Registers only, no view: a hub. */
  | 'relay'
  /** One tree: what is known is what the user sees. */
  | 'direct'
  /** Two trees: what is known, and what a folder's disk shows. */
  | 'bound'

export interface SpaceDatabaseOptions {
  readonly storage: KeyValueStore
  readonly space: SpaceName
  readonly mode: SpaceMode
  readonly device: DeviceId
  readonly clock: Clock
  readonly random: Random
  readonly sha256: Sha256
}

/** What was joined, for those who wait for it. */
export interface SpaceChange {
  /** Changes of the received view; empty for a relay. */
  readonly view: readonly ViewChange[]
}
