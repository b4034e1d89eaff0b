import type { Platform } from '../platform.js'
import { nodeCompressor } from './node-compressor.js'
import { nodeHasher } from './node-hasher.js'
import { systemClock, systemTimers } from './system-clock.js'
import { systemRandom } from './system-random.js'
import { type UndiciBlobClient, undiciBlobClient } from './undici-blob-client.js'

export { openLevelStore } from './level-store.js'
export { makeDirectories } from './make-directories.js'
export { nodeCompressor } from './node-compressor.js'
export { nodeHasher } from './node-hasher.js'
export { pathByteSource } from './path-byte-source.js'
export { systemClock, systemTimers } from './system-clock.js'
export { systemRandom } from './system-random.js'
export {
  type UndiciBlobClient,
  type UndiciBlobClientOptions,
  undiciBlobClient,
} from './undici-blob-client.js'

/** Everything that a replica needs of Node. */
export const nodePlatform: Platform = {
  clock: systemClock,
  timers: systemTimers,
  random: systemRandom,
  hasher: nodeHasher,
  compressor: nodeCompressor,
  blobClient: (baseUrl: string): UndiciBlobClient => undiciBlobClient({ baseUrl }),
}
