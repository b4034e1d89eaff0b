import type { Hasher } from '@tidemark/engine'
import { nodeHasher } from '@tidemark/engine/node'

/** Never in the thread pool: when that answers is nobody's choice. */
export const hasher: Hasher = {
  sha256: (bytes) => nodeHasher.sha256(bytes),
  sha256Async: async (bytes) => nodeHasher.sha256(bytes),
}
