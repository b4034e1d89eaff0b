import { createWebHasher } from '../adapters/web-hasher.js'
import type { Platform } from '../platform.js'
import { fetchBlobClient } from './fetch-blob-client.js'
import { systemClock, systemTimers } from './system-clock.js'
import { systemRandom } from './system-random.js'
import { webCompressor } from './web-compressor.js'

/** Everything that a replica needs of a browser. Compiles the hash first. */
export async function browserPlatform(): Promise<Platform> {
  return {
    clock: systemClock,
    timers: systemTimers,
    random: systemRandom,
    hasher: await createWebHasher(),
    compressor: webCompressor,
    blobClient: (baseUrl) => fetchBlobClient({ baseUrl }),
  }
}
