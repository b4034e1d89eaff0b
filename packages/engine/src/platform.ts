import type { BlobClient } from '@tidemark/protocol'
import type { Clock, Timers } from './ports/clock.js'
import type { Compressor } from './ports/compressor.js'
import type { Gear } from './ports/gear.js'
import type { Hasher } from './ports/hasher.js'
import type { Random } from './ports/random.js'

/** What a replica needs from the machine that it runs on. `@tidemark/engine/node` has one for Node. */
export interface Platform {
  readonly clock: Clock
  readonly timers: Timers
  readonly random: Random
  readonly hasher: Hasher
  readonly compressor: Compressor
  /** How files are cut into chunks. @default in WebAssembly, in plain JavaScript where that may not run */
  readonly gear?: Gear
  /** Carries out grants. @param baseUrl What relative grant URLs are resolved against. */
  blobClient(baseUrl: string): BlobClient & { close(): Promise<void> }
}
