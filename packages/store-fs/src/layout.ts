import { join } from 'node:path'
import { type BlobId, parseBlobId, parseSpaceName, type SpaceName } from '@tidemark/protocol'

/**
 * Where things are below the store's directory:
 *
 *     blobs/<2 hex>/<space>/<64 hex>   a blob; what has this name has these bytes
 *     incoming/<name>                  uploads in progress; emptied at start
 *     grant-secret                     the key that grants are signed with, mode 0600
 *
 * Ids and space names are parsed again before they become a path: a caller's unchecked cast must not
 * reach outside of the directory.
 */
export class Layout {
  readonly blobs: string
  readonly incoming: string
  readonly secret: string

  constructor(readonly directory: string) {
    this.blobs = join(directory, 'blobs')
    this.incoming = join(directory, 'incoming')
    this.secret = join(directory, 'grant-secret')
  }

  /** The directories that hold a blob, outermost first: `blobs/<2 hex>`, `blobs/<2 hex>/<space>`. */
  directoriesOf(space: SpaceName, prefix: string): readonly [string, string] {
    const shard = join(this.blobs, prefix)
    return [shard, join(shard, parseSpaceName(space))]
  }

  /** @throws {TypeError} not an id or a space name. */
  blob(space: SpaceName, id: BlobId): string {
    parseBlobId(id)
    return join(this.directoriesOf(space, id.slice(0, 2))[1], id)
  }
}

/** `00` to `ff`. */
export const PREFIXES: readonly string[] = Array.from({ length: 256 }, (_, i) =>
  i.toString(16).padStart(2, '0'),
)
