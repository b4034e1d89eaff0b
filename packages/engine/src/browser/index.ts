export { createWebHasher } from '../adapters/web-hasher.js'
export { blobByteSource } from './blob-byte-source.js'
export { browserPlatform } from './browser-platform.js'
export {
  type FetchBlobClient,
  type FetchBlobClientOptions,
  fetchBlobClient,
} from './fetch-blob-client.js'
export {
  type IndexedDbBlobStore,
  type IndexedDbBlobStoreOptions,
  openIndexedDbBlobStore,
} from './indexed-db-blob-store.js'
export { openIndexedDbStore } from './indexed-db-store.js'
export type { StorageOptions } from './open-database.js'
export { systemClock, systemTimers } from './system-clock.js'
export { systemRandom } from './system-random.js'
export { webCompressor } from './web-compressor.js'
