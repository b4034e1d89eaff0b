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
export async function stateDigest(
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

/** Little-endian. */
function add(sum: Uint8Array, term: Uint8Array): void {
  let carry = 0
  for (let i = 0; i < sum.length; i++) {
    carry += sum[i]! + term[i]!
    sum[i] = carry & 0xff
    carry >>= 8
  }
}
