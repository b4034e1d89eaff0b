import { type BlobId, parseBlobId, parseSpaceName, type SpaceName } from '@tidemark/protocol'

/**
 * Keys in the bucket:
 *
 *     <prefix><2 hex>/<space>/<64 hex>     a blob; the shard begins its id, so that load spreads by itself
 *     <prefix>self-test/<16 hex>/<64 hex>  what a self-test leaves when it is killed; a lifecycle rule ends it
 *
 * Ids and space names are parsed again before they become a key: a caller's unchecked cast must not reach
 * outside of the prefix.
 */
export class Layout {
  /** @throws {TypeError} the prefix is neither empty nor made of `[A-Za-z0-9._-]` parts, each ended by `/`. */
  constructor(readonly prefix: string) {
    if (!/^([A-Za-z0-9_-][A-Za-z0-9._-]*\/)*$/.test(prefix)) {
      throw new TypeError(
        'prefix: expected nothing, or parts of A-Z a-z 0-9 . _ - that each end with a slash',
      )
    }
  }

  /** @throws {TypeError} not an id or a space name. */
  blob(space: SpaceName, id: BlobId): string {
    return `${this.shard(space, parseBlobId(id).slice(0, 2))}${id}`
  }

  /** What the keys of one shard of a space begin with. */
  shard(space: SpaceName, shard: string): string {
    return `${this.prefix}${shard}/${parseSpaceName(space)}/`
  }

  /** What the keys of one self-test begin with. */
  selfTest(run: string): string {
    return `${this.prefix}self-test/${run}/`
  }
}

/** `00` to `ff`. */
export const SHARDS: readonly string[] = Array.from({ length: 256 }, (_, i) =>
  i.toString(16).padStart(2, '0'),
)
