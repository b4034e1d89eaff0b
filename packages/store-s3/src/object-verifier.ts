import { createHash } from 'node:crypto'
import type { BlobId } from '@tidemark/protocol'
import type { ObjectHead, S3Objects } from './s3-objects.js'

/** Objects known to hold what their key says; more than this and the oldest is read again. */
const KNOWN_MAX = 65_536

/**
 * Whether an object holds the bytes that its key names. What it holds instead is of no use to anybody, and a
 * key that is taken may not be put again: such an object is removed.
 */
export class ObjectVerifier {
  readonly #objects: S3Objects
  readonly #readsBack: boolean
  /** Key → ETag with which it was read and hashed. */
  readonly #known = new Map<string, string>()
  /** One look at a key at once: what one finds wrong and removes, no other has just found right. */
  readonly #looking = new Map<string, Promise<boolean>>()

  /** @param readsBack The store takes wrong bytes: what it does not tell the checksum of is read and hashed. */
  constructor(objects: S3Objects, { readsBack }: { readonly readsBack: boolean }) {
    this.#objects = objects
    this.#readsBack = readsBack
  }

  /** @param head Of now. @throws {StoreError} */
  async holds(key: string, id: BlobId, head: ObjectHead): Promise<boolean> {
    if (head.sha256 === id || (head.sha256 === undefined && !this.#readsBack)) return true
    if (head.etag !== '' && this.#known.get(key) === head.etag) return true
    let looking = this.#looking.get(key)
    if (!looking) {
      looking = this.#look(key, id, head).finally(() => this.#looking.delete(key))
      this.#looking.set(key, looking)
    }
    return looking
  }

  async #look(key: string, id: BlobId, head: ObjectHead): Promise<boolean> {
    if (head.sha256 === undefined) {
      const hash = createHash('sha256')
      for await (const part of this.#objects.stream(key, id)) hash.update(part)
      if (hash.digest('hex') === id) {
        this.#remember(key, head.etag)
        return true
      }
    }
    await this.#objects.delete(key)
    return false
  }

  #remember(key: string, etag: string): void {
    this.#known.set(key, etag)
    if (this.#known.size <= KNOWN_MAX) return
    for (const oldest of this.#known.keys()) {
      this.#known.delete(oldest)
      break
    }
  }
}
