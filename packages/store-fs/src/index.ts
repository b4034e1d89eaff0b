export type { UploadLimits } from './blob-request-handler.js'
export type { FileSystem } from './file-system.js'
export { FsBlobStore, type FsBlobStoreOptions, fsBlobStore } from './fs-blob-store.js'
