import { existsSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'

/** Where the hub says that the store is its own: no blobs of anybody's files. */
const CLAIMS_SPACE = 'tidemark.claims'

/** Whole blobs of a hub's store on disk, and their sizes, bytes: what is under way has no name yet. */
export function storedBlobs(data: string): Map<string, number> {
  const blobs = new Map<string, number>()
  const directory = join(data, 'store', 'blobs')
  if (!existsSync(directory)) return blobs
  for (const shard of readdirSync(directory))
    for (const space of readdirSync(join(directory, shard)))
      if (space !== CLAIMS_SPACE)
        for (const blob of readdirSync(join(directory, shard, space))) {
          const path = join(directory, shard, space, blob)
          blobs.set(path, statSync(path).size)
        }
  return blobs
}
