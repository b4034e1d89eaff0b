import type { BlobAuthority, Hasher, PackFormat } from '@tidemark/engine'
import type { BlobId, BlobStore, SpaceName } from '@tidemark/protocol'
import type { Logger } from '../logger.js'
import type { BlobIndex } from './blob-index.js'
import { HubBlobAuthority } from './hub-blob-authority.js'

export interface HubBlobsParts {
  readonly blobs: BlobStore
  readonly index: BlobIndex
  readonly packs: Pick<PackFormat, 'verify' | 'build'>
  readonly hasher: Hasher
  readonly logger: Logger
  /** See `HubBlobAuthority`. */
  readonly rebuildAtStart: boolean
}

/** The authorities of all spaces: one each, so that concurrent sessions share its groups. */
export class HubBlobs {
  readonly #spaces = new Map<SpaceName, HubBlobAuthority>()

  constructor(private readonly parts: HubBlobsParts) {}

  authority(space: SpaceName): BlobAuthority {
    return this.#of(space)
  }

  /** An upload by grant is durable: indexed in passing, its bytes are at hand. */
  async uploaded(space: SpaceName, id: BlobId, bytes: Uint8Array): Promise<void> {
    await this.#of(space).indexBlob(id, bytes)
  }

  #of(space: SpaceName): HubBlobAuthority {
    let authority = this.#spaces.get(space)
    if (!authority) {
      authority = new HubBlobAuthority({ ...this.parts, space })
      this.#spaces.set(space, authority)
    }
    return authority
  }
}
