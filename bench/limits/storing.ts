import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { TOKEN, until, World } from '../../test/support/processes.js'
import { GOALS } from '../goals.js'
import type { Job } from '../huge/job.js'
import { type Figure, median } from '../measure.js'

const MIB = 1 << 20
const GIB = 1 << 30
const RUNS = 3
const TIMEOUT_MS = 600_000
const programOf = (name: string): string => fileURLToPath(new URL(`./${name}.js`, import.meta.url))

/**
 * A file that a program makes up goes to a hub, verified and durable, beside two programs that do nothing but what
 * must be done with its bytes: one puts 8 MiB after another, six at once, the other hashes and writes each to disk.
 */
export async function measureStoring(bytes: number): Promise<Figure[]> {
  const [ours, bare]: [number[], number[]] = [[], []]
  for (let run = 0; run < RUNS; run++) {
    bare.push(await bareMs(bytes))
    ours.push(await oursMs(bytes))
  }
  const rateOf = (ms: number[]): number => (bytes / GIB / median(ms)) * 1_000
  const figure = { scenario: `${bytes / MIB} MiB to a hub, verified and on disk`, unit: 'GiB/s' }
  return [
    { ...figure, what: 'rate', value: rateOf(ours), least: GOALS.storedGibPerS },
    { ...figure, what: 'and bare HTTP, a hash and a write', value: rateOf(ours), limit: rateOf(bare) },
  ]
}

async function oursMs(bytes: number): Promise<number> {
  const world = new World()
  try {
    const hub = await world.hub()
    const state = world.path('writer')
    mkdirSync(state)
    const job: Job = {
      url: hub.url,
      token: TOKEN,
      state: join(state, 'database'),
      seed: 'limits',
      size: bytes,
      digests: world.path('digests'),
    }
    return await timed(world, [programOf('huge/writer'), JSON.stringify(job)])
  } finally {
    await world.close()
  }
}

async function bareMs(bytes: number): Promise<number> {
  const world = new World()
  try {
    const directory = world.path('store')
    mkdirSync(directory)
    const store = world.start([process.execPath, programOf('limits/bare-store'), directory])
    await until('the store listens', () => store.lines.length > 0)
    return await timed(world, [programOf('limits/bare-sender'), store.lines[0]!, String(bytes)])
  } finally {
    await world.close()
  }
}

/** From the program's start to its word that all is stored. */
async function timed(world: World, command: readonly string[]): Promise<number> {
  const began = performance.now()
  const program = world.start([process.execPath, ...command])
  const isOver = (): boolean => program.lines.at(-1) === 'done' || program.child.exitCode !== null
  await until('all is stored', isOver, TIMEOUT_MS)
  if (program.lines.at(-1) !== 'done') throw new Error(program.errors.join('\n'))
  return performance.now() - began
}
