import type { SpaceBinding } from '@tidemark/engine'
import type { ChunkId } from '@tidemark/protocol'

const GROUP_FILES_MAX = 500
const GROUP_BYTES_MAX = 8 * 1024 * 1024

/**
 * Fetches whole small files in groups; the next group is on its way while the last one is used. What no
 * source has is left out.
 *
 * @throws what `fetchSmall` throws, the signal's reason among it.
 */
export async function fetchInGroups(
  space: Pick<SpaceBinding, 'fetchSmall'>,
  files: readonly { readonly root: ChunkId; readonly size: number }[],
  use: (root: ChunkId, bytes: Uint8Array) => void,
  signal: AbortSignal,
): Promise<void> {
  const groups = group(files)
  const start = (roots: ChunkId[] | undefined) => {
    const fetched = roots && space.fetchSmall(roots, { signal })
    // Its failure is seen when it is its turn.
    fetched?.catch(() => {})
    return fetched
  }
  let next = start(groups[0])
  for (let i = 0; i < groups.length; i++) {
    const fetched = await next!
    next = start(groups[i + 1])
    for (const [root, bytes] of fetched) use(root, bytes)
    await new Promise((resolve) => setImmediate(resolve))
  }
}

function group(files: readonly { readonly root: ChunkId; readonly size: number }[]): ChunkId[][] {
  const groups: ChunkId[][] = []
  const seen = new Set<ChunkId>()
  let bytes = 0
  for (const { root, size } of files) {
    if (seen.has(root)) continue
    seen.add(root)
    const last = groups.at(-1)
    if (!last || last.length === GROUP_FILES_MAX || bytes + size > GROUP_BYTES_MAX) {
      groups.push([root])
      bytes = size
    } else {
      last.push(root)
      bytes += size
    }
  }
  return groups
}
