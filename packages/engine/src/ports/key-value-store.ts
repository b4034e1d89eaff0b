/** A value now, or later: an adapter that can answer at once does (no await per key on hot paths). */
export type Awaitable<T> = T | Promise<T>

export interface KeyRange {
  /** Inclusive lower bound. */
  readonly gte: string
  /** Exclusive upper bound. */
  readonly lt: string
}

export type KeyValue = readonly [key: string, value: Uint8Array]

/** Keys are ASCII strings and order like their bytes (names in keys are escaped). */
export interface KeyValueReader {
  get(key: string): Awaitable<Uint8Array | undefined>
  getMany(keys: readonly string[]): Awaitable<(Uint8Array | undefined)[]>
  /** Entries in key order, in pages of at most some hundred. Leaving the loop releases the iterator. */
  range(range: KeyRange): AsyncIterable<readonly KeyValue[]>
}

export type KeyValueOp =
  | { readonly type: 'put'; readonly key: string; readonly value: Uint8Array }
  | { readonly type: 'del'; readonly key: string }

/**
 * An ordered map with atomic batches. After a crash the store holds a prefix of the batches: all up to
 * some batch, and at least up to the last one with `sync`.
 */
export interface KeyValueStore extends KeyValueReader {
  /** Atomic. With `sync` it resolves when durable; concurrent syncs share one. */
  batch(ops: readonly KeyValueOp[], options: { sync: boolean }): Promise<void>
  /** A view that later batches do not change. */
  snapshot(): KeyValueSnapshot
  /** Idempotent. */
  close(): Promise<void>
}

export interface KeyValueSnapshot extends KeyValueReader {
  close(): Promise<void>
}
