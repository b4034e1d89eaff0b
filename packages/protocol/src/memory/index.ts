export { MemoryBlobStore, type MemoryBlobStoreOptions } from './memory-blob-store.js'
export {
  createMemoryConnectionPair,
  type Direction,
  type MemoryConnectionOptions,
  type MemoryConnectionPair,
} from './memory-connection.js'
export { createMemoryTransportPair, type MemoryTransportPair } from './memory-transport.js'
