import type { BlobId } from '@tidemark/protocol'

/** One at a time for each blob: what is being deleted is not found, and what is being stored is not deleted. */
export class BlobLocks {
  readonly #tails = new Map<BlobId, Promise<unknown>>()

  async run<T>(blob: BlobId, fn: () => Promise<T>): Promise<T> {
    const before = this.#tails.get(blob) ?? Promise.resolve()
    const result = before.then(fn, fn)
    this.#tails.set(blob, result)
    try {
      return await result
    } finally {
      if (this.#tails.get(blob) === result) this.#tails.delete(blob)
    }
  }
}
