import {
  closeSync,
  copyFileSync,
  createReadStream,
  createWriteStream,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { PackFormat } from '@tidemark/engine'
import { nodeCompressor, nodeHasher } from '@tidemark/engine/node'
import { chunkBounds, chunkClass } from '../packages/engine/src/chunking/chunk-class.js'
import { beginsLikeManifestNode } from '../packages/engine/src/chunking/manifest-node.js'
import { randomOf, writeRandomFile } from '../test/support/bytes.js'
import { until, World } from '../test/support/processes.js'
import { startProxy } from '../test/support/proxy.js'
import { readTree } from '../test/support/trees.js'
import { GOALS } from './goals.js'
import { type Figure, median } from './measure.js'
import { storedBlobs } from './store-files.js'

const KIB = 1024
const OVERWRITTEN_BYTES = 4 * KIB
const ARRIVES_MS = 300_000
/** What goes by message after an edit has come: acknowledgements, and the word that both are equal. */
const QUIET_MS = 500

/** What one edit moved. */
interface Moved {
  readonly chunks: number
  readonly chunkBytes: number
  readonly nodes: number
  /** Everything on the wire of the device that edited, and of the one that has the old version. */
  readonly upBytes: number
  readonly downBytes: number
}

/**
 * Edits of one large file in a folder, until another folder, which holds the version before, shows them: what
 * the hub's store gained, and what passed between hub and devices.
 */
export async function measureEdits(bytes: number, edits: number): Promise<Figure[]> {
  const world = new World()
  try {
    const [a, b] = [world.path('a'), world.path('b')]
    for (const folder of [a, b]) mkdirSync(folder)
    const [mine, theirs] = [join(a, 'big.bin'), join(b, 'big.bin')]
    writeRandomFile(mine, bytes, 'edits')
    const hub = await world.hub()
    const [proxyA, proxyB] = [await startProxy(hub), await startProxy(hub)]
    for (const [folder, proxy] of [[a, proxyA] as const, [b, proxyB] as const]) world.live(folder, proxy)
    await until('b has the file', () => sizeOf(theirs) === bytes, ARRIVES_MS)
    const trash = join(b, '.tidemark', 'trash')
    const moved = async (edit: () => Promise<void>, isThere: () => boolean): Promise<Moved> => {
      await delay(QUIET_MS)
      // Each version before went there, whole.
      for (const name of readdirSync(trash)) rmSync(join(trash, name), { recursive: true })
      const before = storedBlobs(world.path('hub'))
      const [up, down] = [proxyA.upBytes, proxyB.downBytes]
      await edit()
      await until('b shows the edit', isThere, ARRIVES_MS)
      await delay(QUIET_MS)
      const gained = await chunksIn(
        [...storedBlobs(world.path('hub')).keys()].filter((it) => !before.has(it)),
      )
      return { ...gained, upBytes: proxyA.upBytes - up, downBytes: proxyB.downBytes - down }
    }
    const random = randomOf(edits)
    const inserts: Moved[] = []
    const overwrites: Moved[] = []
    for (let i = 0; i < edits; i++) {
      const size = statSync(mine).size
      inserts.push(
        await moved(
          () => insertAtFront(mine, world.path('edited'), Math.floor(random() * 256)),
          () => sizeOf(theirs) === size + 1,
        ),
      )
      const at = Math.floor(random() * (size - OVERWRITTEN_BYTES))
      const fresh = Uint8Array.from({ length: OVERWRITTEN_BYTES }, () => random() * 256)
      overwrites.push(
        await moved(
          async () => overwrite(mine, at, fresh),
          () => Buffer.compare(rangeOf(theirs, at), fresh) === 0,
        ),
      )
    }
    const size = statSync(mine).size
    const copy = await moved(
      async () => copyFileSync(mine, join(a, 'copy.bin')),
      () => sizeOf(join(b, 'copy.bin')) === size,
    )
    if (JSON.stringify(readTree(a)) !== JSON.stringify(readTree(b))) throw new Error('the trees differ')
    const scenario = `edits of ${bytes / 2 ** 20} MiB, ${edits} each`
    const average = chunkBounds(chunkClass(bytes)).average
    return [
      ...figuresOf(scenario, 'one byte at the front', inserts, average),
      ...figuresOf(scenario, '4 KiB in place', overwrites, average),
      { scenario, what: 'copy: chunks sent', value: copy.chunks, unit: '', goal: 0 },
      { scenario, what: 'copy: up', value: copy.upBytes / KIB, unit: 'KiB' },
      { scenario, what: 'copy: down', value: copy.downBytes / KIB, unit: 'KiB' },
    ]
  } finally {
    await world.close()
  }
}

function figuresOf(scenario: string, edit: string, all: readonly Moved[], average: number): Figure[] {
  const most = (of: (moved: Moved) => number): number => Math.max(...all.map(of))
  const middle = (of: (moved: Moved) => number): number => median(all.map(of))
  const figure = (what: string, value: number, unit: string, goal?: number): Figure => ({
    scenario,
    what: `${edit}: ${what}`,
    value,
    unit,
    ...(goal === undefined ? {} : { goal }),
  })
  return [
    figure(
      'chunks sent, median',
      middle(({ chunks }) => chunks),
      '',
      GOALS.chunksPerEdit,
    ),
    figure(
      'chunks sent, most',
      most(({ chunks }) => chunks),
      '',
      GOALS.chunksPerEditMax,
    ),
    figure(
      'bytes of chunks, most',
      most(({ chunkBytes }) => chunkBytes) / average,
      'average chunks',
      GOALS.chunkBytesPerEdit,
    ),
    figure(
      'manifest nodes, most',
      most(({ nodes }) => nodes),
      '',
    ),
    figure('up, median', middle(({ upBytes }) => upBytes) / KIB, 'KiB'),
    figure('up, most', most(({ upBytes }) => upBytes) / KIB, 'KiB'),
    figure('down, median', middle(({ downBytes }) => downBytes) / KIB, 'KiB'),
    figure('down, most', most(({ downBytes }) => downBytes) / KIB, 'KiB'),
  ]
}

async function chunksIn(blobs: readonly string[]): Promise<Pick<Moved, 'chunks' | 'chunkBytes' | 'nodes'>> {
  const packs = new PackFormat(nodeHasher, nodeCompressor)
  const found = { chunks: 0, chunkBytes: 0, nodes: 0 }
  for (const path of blobs) {
    const bytes = readFileSync(path)
    for (const { offset, length } of await packs.verify(bytes)) {
      if (beginsLikeManifestNode(bytes.subarray(offset, offset + length))) found.nodes++
      else {
        found.chunks++
        found.chunkBytes += length
      }
    }
  }
  return found
}

const sizeOf = (path: string): number | undefined => statSync(path, { throwIfNoEntry: false })?.size

/** As an editor saves: a new file in the place of the old one. */
async function insertAtFront(path: string, scratch: string, byte: number): Promise<void> {
  const out = createWriteStream(scratch)
  out.write(Buffer.of(byte))
  await pipeline(createReadStream(path, { highWaterMark: 1 << 20 }), out)
  renameSync(scratch, path)
}

function overwrite(path: string, at: number, bytes: Uint8Array): void {
  const fd = openSync(path, 'r+')
  try {
    writeSync(fd, bytes, 0, bytes.length, at)
  } finally {
    closeSync(fd)
  }
}

function rangeOf(path: string, at: number): Buffer {
  const fd = openSync(path, 'r')
  try {
    const bytes = Buffer.alloc(OVERWRITTEN_BYTES)
    readSync(fd, bytes, 0, bytes.length, at)
    return bytes
  } finally {
    closeSync(fd)
  }
}
