import type { IncomingMessage, ServerResponse } from 'node:http'
import type { BlobStore } from '@tidemark/protocol'
import { type FsBlobStoreOptions, fsBlobStore } from '@tidemark/store-fs'

/** Where the hub's bytes are. */
export interface HubStore {
  readonly blobs: BlobStore
  /** @throws {StoreError} */
  open(): Promise<void>
  /** @returns false where the request is none of its own. */
  handleBlobRequest(request: IncomingMessage, response: ServerResponse): Promise<boolean>
}

/** A store that somebody else opened and answers for: devices reach it by its grants, past the hub. */
export function foreignStore(blobs: BlobStore): HubStore {
  return { blobs, open: async () => undefined, handleBlobRequest: async () => false }
}

/** A directory, whose bytes pass through the hub: beside its sessions, wherever a proxy shows both. */
export function localStore(options: FsBlobStoreOptions): HubStore {
  const blobs = fsBlobStore({ ...options, prefix: '/blobs', grantPrefix: 'blobs' })
  return {
    blobs,
    open: () => blobs.open(),
    handleBlobRequest: (request, response) => blobs.handleBlobRequest(request, response),
  }
}
