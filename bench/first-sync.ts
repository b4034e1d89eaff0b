import { mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { randomOf, writeRandomFile } from '../test/support/bytes.js'
import { until, World } from '../test/support/processes.js'
import { readTree } from '../test/support/trees.js'
import { GOALS } from './goals.js'
import { type Figure, median } from './measure.js'
import { type Costs, ProcessCosts } from './process-costs.js'
import { hasRsync, rsyncThroughDaemon } from './rsync-daemon.js'

interface Run {
  readonly wallMs: number
  readonly a: Costs
  readonly hub: Costs
  readonly b: Costs
}

interface Scenario {
  readonly name: string
  readonly goal: number
  fill(folder: string): void
  /** Cheap: it is asked while the clock runs. */
  isComplete(folder: string): boolean
}

const FILES_PER_DIRECTORY = 100

/** Text of 1 to 4 KiB a file, as in source trees. */
export function smallFiles(count: number): Scenario {
  return {
    name: `${count} small files`,
    goal: GOALS.smallFilesRatio,
    fill(folder) {
      const random = randomOf(count)
      for (let i = 0; i < count; i++) {
        const directory = join(folder, `d${Math.floor(i / FILES_PER_DIRECTORY)}`)
        if (i % FILES_PER_DIRECTORY === 0) mkdirSync(directory)
        writeFileSync(
          join(directory, `${i}.txt`),
          `line of file ${i}\n`.repeat(60 + Math.floor(random() * 160)),
        )
      }
    },
    isComplete(folder) {
      const directories = readdirSync(folder).filter((name) => name.startsWith('d'))
      if (directories.length < count / FILES_PER_DIRECTORY) return false
      return directories.every((name) => readdirSync(join(folder, name)).length === FILES_PER_DIRECTORY)
    },
  }
}

/** One incompressible file. */
export function bigFile(bytes: number): Scenario {
  return {
    name: `one file of ${bytes / (1 << 20)} MiB`,
    goal: GOALS.bigFileRatio,
    fill: (folder) => writeRandomFile(join(folder, 'big.bin'), bytes, 'bench'),
    isComplete: (folder) => statSync(join(folder, 'big.bin'), { throwIfNoEntry: false })?.size === bytes,
  }
}

/** A → hub → B, B live and empty when A starts, until B has everything. A fresh world for each run. */
async function tidemarkRun(scenario: Scenario): Promise<Run> {
  const world = new World()
  try {
    const [a, b] = [world.path('a'), world.path('b')]
    for (const folder of [a, b]) mkdirSync(folder)
    scenario.fill(a)
    const hub = await world.hub()
    const right = world.live(b, hub)
    await until('b is connected', () => right.lines.some((line) => line.startsWith('connected')))
    await delay(500)
    const ofHub = new ProcessCosts(hub.child.pid!)
    const ofB = new ProcessCosts(right.child.pid!)
    const began = performance.now()
    const left = world.live(a, hub)
    const ofA = new ProcessCosts(left.child.pid!)
    await until('b has everything', () => scenario.isComplete(b), 600_000)
    const wallMs = performance.now() - began
    const run = { wallMs, a: ofA.stop(), hub: ofHub.stop(), b: ofB.stop() }
    if (JSON.stringify(readTree(a)) !== JSON.stringify(readTree(b))) throw new Error('the trees differ')
    return run
  } finally {
    await world.close()
  }
}

async function rsyncRun(scenario: Scenario): Promise<{ wallMs: number; cpuMs: number; peakMib: number }> {
  const world = new World()
  try {
    const [from, to] = [world.path('from'), world.path('to')]
    mkdirSync(from)
    scenario.fill(from)
    const { wallMs, client, daemon } = await rsyncThroughDaemon(from, to, world.path('scratch'))
    return { wallMs, cpuMs: client.cpuMs + daemon.cpuMs, peakMib: Math.max(client.peakMib, daemon.peakMib) }
  } finally {
    await world.close()
  }
}

/** Runs alternate, so that a slow phase of the machine meets both. */
export async function measureFirstSync(scenario: Scenario, repetitions: number): Promise<Figure[]> {
  const runs: Run[] = []
  const rsyncs: { wallMs: number; cpuMs: number; peakMib: number }[] = []
  for (let i = 0; i < repetitions; i++) {
    runs.push(await tidemarkRun(scenario))
    if (hasRsync()) rsyncs.push(await rsyncRun(scenario))
  }
  const rsync = (
    of: (run: { wallMs: number; cpuMs: number; peakMib: number }) => number,
  ): { rsync?: number } => (rsyncs.length === 0 ? {} : { rsync: median(rsyncs.map(of)) })
  const figure = (what: string, unit: string, of: (run: Run) => number): Figure => ({
    scenario: scenario.name,
    what,
    unit,
    value: median(runs.map(of)),
  })
  return [
    {
      ...figure('wall', 's', (run) => run.wallMs / 1000),
      ...rsync((run) => run.wallMs / 1000),
      goal: scenario.goal,
    },
    {
      ...figure('CPU, all', 's', ({ a, hub, b }) => (a.cpuMs + hub.cpuMs + b.cpuMs) / 1000),
      ...rsync((run) => run.cpuMs / 1000),
    },
    figure('CPU, A', 's', ({ a }) => a.cpuMs / 1000),
    figure('CPU, hub', 's', ({ hub }) => hub.cpuMs / 1000),
    figure('CPU, B', 's', ({ b }) => b.cpuMs / 1000),
    { ...figure('peak RSS, A', 'MiB', ({ a }) => a.peakMib), ...rsync((run) => run.peakMib) },
    figure('peak RSS, hub', 'MiB', ({ hub }) => hub.peakMib),
    figure('peak RSS, B', 'MiB', ({ b }) => b.peakMib),
  ]
}
