export { type BlobStoreFixture, runBlobStoreConformance } from './blob-store.js'
export { runTransportConformance, type TransportFixture } from './transport.js'
