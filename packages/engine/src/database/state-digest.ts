import { bytesToHex, encodeNodeEntry, STATE_DIGEST_BYTES, type StateDigest } from '@tidemark/protocol'
import { livingPart } from '../core/living-part.js'
import type { KeyValueReader } from '../ports/key-value-store.js'
import type { Tree } from './tree.js'

/**
 * Everything that the tree shows, as one number: the sum modulo 2^256 of the SHA-256 of what each node shows.
 * Order plays no part. Reads every node.
 *
 * Source: design 5.3.
 */
async function stateDigest(
  tree: Tree,
  kv: KeyValueReader,
  sha256: (bytes: Uint8Array) => Uint8Array,
): Promise<StateDigest> {
  const sum = new Uint8Array(STATE_DIGEST_BYTES)
  for await (const page of tree.all(kv)) {
    const living = await tree.inClosure(
      kv,
      page.map(({ id }) => id),
    )
    for (const node of page) if (living.has(node.id)) add(sum, sha256(encodeNodeEntry(livingPart(node))))
  }
  return bytesToHex(sum) as StateDigest
}

/** One count for all who ask at the same place of the log: whoever asks again costs nothing. */
export class StateDigests {
  #last: { readonly place: string; readonly digest: Promise<StateDigest> } | undefined

  constructor(
    private readonly tree: Tree,
    private readonly sha256: (bytes: Uint8Array) => Uint8Array,
  ) {}

  /** @param kv As it is at this place; it is read until this resolves. */
  at(place: string, kv: KeyValueReader): Promise<StateDigest> {
    if (this.#last?.place === place) return this.#last.digest
    const last = { place, digest: stateDigest(this.tree, kv, this.sha256) }
    this.#last = last
    last.digest.catch(() => {
      if (this.#last === last) this.#last = undefined
    })
    return last.digest
  }
}

/** Little-endian. */
function add(sum: Uint8Array, term: Uint8Array): void {
  let carry = 0
  for (let i = 0; i < sum.length; i++) {
    carry += sum[i]! + term[i]!
    sum[i] = carry & 0xff
    carry >>= 8
  }
}
