import type { DeviceId, SpaceName } from '@tidemark/protocol'
import type { NewContent } from '../core/user-op.js'
import type { Sha256 } from '../core/view/names.js'
import type { ViewChange } from '../core/view-entry.js'
import type { Clock } from '../ports/clock.js'
import type { KeyValueOp, KeyValueStore } from '../ports/key-value-store.js'
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
  /** Of files that come back as new, after this replica began anew. @default their bytes are here */
  readonly adopted?: {
    /** Whether their bytes are here. */
    holds(content: NewContent): Promise<boolean>
    /** Rows that are written with them: a hub may have lost their bytes. */
    rows(content: NewContent): readonly KeyValueOp[]
  }
}

/** What was joined, for those who wait for it. */
export interface SpaceChange {
  /** Changes of the received view; empty for a relay. */
  readonly view: readonly ViewChange[]
}
