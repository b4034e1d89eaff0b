import type { SpaceBinding, Upload } from '@tidemark/engine'
import { isOfItsFile } from './read-problems.js'

/** Something with bytes that are to be stored. */
interface Uploadable {
  readonly upload: Upload
}

/**
 * Stores what can be stored: one file that is written to, or gone, since it was chunked does not hold the others
 * back.
 *
 * @returns those that could not be stored, each with its error.
 * @throws what is not about one file, and the signal's reason.
 */
export async function storeEach<T extends Uploadable>(
  space: Pick<SpaceBinding, 'ensureStored'>,
  all: readonly T[],
  signal: AbortSignal,
): Promise<Map<T, unknown>> {
  const failed = new Map<T, unknown>()
  const store = async (some: readonly T[]): Promise<void> => {
    if (some.length === 0) return
    try {
      await space.ensureStored(
        some.map(({ upload }) => upload),
        { signal },
      )
    } catch (error) {
      signal.throwIfAborted()
      if (!isOfItsFile(error)) throw error
      if (some.length === 1) {
        failed.set(some[0]!, error)
        return
      }
      // In halves: a call for each of many small files would be a round trip for each.
      const middle = Math.ceil(some.length / 2)
      await store(some.slice(0, middle))
      await store(some.slice(middle))
    }
  }
  await store(all)
  return failed
}
