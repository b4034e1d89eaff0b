export type { CreatedBlob } from './created-blobs.js'
export { UnfitStoreError } from './errors.js'
export type { S3BlobStoreOptions } from './options.js'
export { S3BlobStore } from './s3-blob-store.js'
export type {
  Bind,
  EssentialCheck,
  OtherCheck,
  SelfTestCheck,
  SelfTestReport,
} from './self-test-report.js'
