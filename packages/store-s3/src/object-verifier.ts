import { createHash } from 'node:crypto'
import { type BlobId, StoreError } from '@tidemark/protocol'
import type { ObjectHead, S3Objects } from './s3-objects.js'

/** Objects known to hold what their key says; more than this and the oldest is read again. */
const KNOWN_MAX = 65_536
/** Objects known to hold something else; more than this and the oldest is looked at again. */
const WRONG_MAX = 1_024

/** Whether an object holds the bytes that its key names. To look changes nothing: the reading may have been wrong. */
export class ObjectVerifier {
  readonly #objects: S3Objects
  readonly #readsBack: boolean
  /** Key → ETag with which it was read and hashed. */
  readonly #known = new Map<string, string>()
  /** Key → ETag with which something else was found there. */
  readonly #wrong = new Map<string, string>()
  /** One look at a key at once, for all who ask meanwhile. */
  readonly #looking = new Map<string, Promise<boolean>>()

  /** @param readsBack The store takes wrong bytes: what it does not tell the checksum of is read and hashed. */
  constructor(objects: S3Objects, { readsBack }: { readonly readsBack: boolean }) {
    this.#objects = objects
    this.#readsBack = readsBack
  }

  /** @param head Of now. @throws {StoreError} */
  async holds(key: string, id: BlobId, head: ObjectHead): Promise<boolean> {
    if (head.sha256 === id || (head.sha256 === undefined && !this.#readsBack)) {
      this.#wrong.delete(key)
      return true
    }
    if (head.etag !== '' && this.#known.get(key) === head.etag) return true
    let looking = this.#looking.get(key)
    if (!looking) {
      looking = this.#look(key, id, head).finally(() => this.#looking.delete(key))
      this.#looking.set(key, looking)
    }
    return looking
  }

  /** Whether the last look found something else there. */
  isWrong(key: string): boolean {
    return this.#wrong.has(key)
  }

  /**
   * Looks once more at what the last look found wrong.
   *
   * @returns whether the same object is wrong again; false where nothing was wrong. @throws {StoreError}
   */
  async isWrongAgain(key: string, id: BlobId): Promise<boolean> {
    const before = this.#wrong.get(key)
    const head = before === undefined ? undefined : await this.#objects.head(key)
    return head !== undefined && head.etag === before && !(await this.holds(key, id, head))
  }

  async #look(key: string, id: BlobId, head: ObjectHead): Promise<boolean> {
    const hash = createHash('sha256')
    let length = 0
    for await (const part of this.#objects.stream(key, id)) {
      hash.update(part)
      length += part.length
    }
    if (length !== head.length) throw new StoreError('blob store: sent another length than it told', 200)
    const holds = hash.digest('hex') === id
    if (holds) {
      this.#wrong.delete(key)
      this.#known.set(key, head.etag)
      dropOldest(this.#known, KNOWN_MAX)
    } else {
      this.#wrong.set(key, head.etag)
      dropOldest(this.#wrong, WRONG_MAX)
    }
    return holds
  }
}

function dropOldest(kept: Map<string, unknown>, max: number): void {
  const [oldest] = kept.keys()
  if (kept.size > max && oldest !== undefined) kept.delete(oldest)
}
