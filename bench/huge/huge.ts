import { mkdirSync, statfsSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Program, TOKEN, World } from '../../test/support/processes.js'
import { startProxy } from '../../test/support/proxy.js'
import type { Figure } from '../measure.js'
import { storedBlobs } from '../store-files.js'
import { hugeFigures } from './figures.js'
import type { Job } from './job.js'
import { passage } from './passage.js'
import { Peaks } from './peaks.js'
import { seededSource } from './seeded-source.js'
import { digestOf, notedBytes } from './segment-digests.js'
import { troublesOf } from './troubles.js'

/** Beside the file itself, bytes: indexes, databases, and what the machine needs. */
const ROOM_BYTES = 2 ** 30
const programOf = (name: string): string => fileURLToPath(new URL(`./huge/${name}.js`, import.meta.url))

export interface HugeOptions {
  /** Of the file. */
  readonly bytes: number
  /** Both ways together. */
  readonly kills: number
  readonly seed: number
}

/**
 * A file that is nowhere on disk goes up by a program, through a proxy and a hub with a store on disk, and
 * comes down by another one, while programs and hub are killed and connections cut.
 *
 * @throws what arrives is another file; no room on disk.
 */
export async function measureHuge({ bytes, kills, seed }: HugeOptions): Promise<Figure[]> {
  const world = new World()
  try {
    const { bavail, bsize } = statfsSync(world.home)
    if (bavail * bsize < bytes + ROOM_BYTES) {
      throw new Error(
        `the hub would keep ${bytes} bytes in ${world.home}, which has ${bavail * bsize}: --bytes`,
      )
    }
    const job = { token: TOKEN, seed: `huge ${seed}`, size: bytes, digests: world.path('digests') }
    const expected = await digestOf(seededSource(job.seed, bytes))
    const peaks = { writer: new Peaks(), hub: new Peaks(), reader: new Peaks() }
    let hub = await world.hub()
    peaks.hub.watch(hub.child.pid!)
    const proxy = await startProxy(hub)
    const start = (name: 'writer' | 'reader') => (): Program => {
      const state = world.path(name)
      mkdirSync(state, { recursive: true })
      const argument: Job = { ...job, url: proxy.url, state: join(state, 'database') }
      const program = world.start([process.execPath, programOf(name), JSON.stringify(argument)])
      peaks[name].watch(program.child.pid!)
      return program
    }
    const others = {
      hub: {
        end: () => hub.kill(),
        startAgain: async () => {
          hub = await world.hub(hub.port)
          peaks.hub.watch(hub.child.pid!)
        },
      },
      network: { end: async () => proxy.cut(), startAgain: async () => undefined },
    }
    const killsUp = Math.ceil(kills / 2)
    const up = await passage({
      troubles: troublesOf(seed, killsUp, bytes),
      start: start('writer'),
      others,
      passedBytes: () => proxy.upBytes,
      heldBytes: () => sumOf(storedBlobs(world.path('hub')).values()),
    })
    const down = await passage({
      troubles: troublesOf(seed + 1, kills - killsUp, bytes),
      start: start('reader'),
      others,
      passedBytes: () => proxy.downBytes,
      heldBytes: () => Math.min(bytes, notedBytes(job.digests)),
    })
    await proxy.close()
    const actual = down.lines.at(-2)
    if (actual !== `digest ${expected}`) throw new Error(`another file arrived: ${actual}, not ${expected}`)
    return hugeFigures(bytes, { up, down }, peaks)
  } finally {
    await world.close()
  }
}

function sumOf(sizes: Iterable<number>): number {
  let sum = 0
  for (const size of sizes) sum += size
  return sum
}
