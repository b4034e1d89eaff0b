import { chunkSource } from '../../src/chunking/chunk-source.js'
import { Cutter } from '../../src/chunking/cutter.js'
import { nodeHasher } from '../../src/node/node-hasher.js'
import { MemorySource, seededBytes } from '../bytes.js'

const KIB = 1024
const FILES = [
  ['nothing', 1, 0],
  ['one byte', 1, 1],
  ['the largest file of one chunk', 2, 16 * KIB],
  ['one byte more', 2, 16 * KIB + 1],
  ['some chunks', 3, 300_000],
  ['two levels of manifest', 4, 24 * 1024 * KIB],
] as const
const STREAMS = [
  ['the smallest class', 14, 5, 400_000],
  ['a class in between', 16, 6, 1_500_000],
  ['a large class', 20, 7, 9_000_000],
] as const

/**
 * What `chunking.json` holds. Bytes are those of `seededBytes`: xorshift32 from `seed`.
 * `cuts`: for a class, the ends of all chunks but the last. `files`: for a whole file its manifest.
 */
export async function chunkingVectors() {
  const files = []
  for (const [name, seed, size] of FILES) {
    const file = await chunkSource(new MemorySource(seededBytes(seed, size)), { hasher: nodeHasher })
    const lengths = [...file.chunks.lengths]
    const shown = lengths.length > 40 ? { chunks: lengths.length } : { lengths }
    files.push({
      name,
      seed,
      size,
      height: file.height,
      root: file.root,
      ...shown,
      nodes: file.manifest.length,
    })
  }
  const zeros = await chunkSource(new MemorySource(new Uint8Array(1_000_000)), { hasher: nodeHasher })
  files.push({
    name: 'zeros',
    seed: 0,
    size: zeros.size,
    height: zeros.height,
    root: zeros.root,
    lengths: [...zeros.chunks.lengths],
    nodes: zeros.manifest.length,
  })
  const cuts = STREAMS.map(([name, chunkClass, seed, size]) => {
    const bytes = seededBytes(seed, size)
    const cutter = new Cutter(chunkClass)
    const ends: number[] = []
    for (let at = cutter.next(bytes, 0); at >= 0; at = cutter.next(bytes, at)) ends.push(at)
    return { name, class: chunkClass, seed, size, ends }
  })
  return { files, cuts }
}
