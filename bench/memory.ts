import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { until, World } from '../test/support/processes.js'
import { GOALS } from './goals.js'
import type { Figure } from './measure.js'
import { memoryMib } from './process-costs.js'

const FILES_PER_DIRECTORY = 100
const SAMPLES = 10

interface Resident {
  readonly replicaMib: number
  /** Without pages of files: LevelDB maps its tables, and the system takes such pages back when it needs them. */
  readonly replicaPrivateMib: number
  readonly hubMib: number
}

/**
 * Resident memory of a replica and a hub that were started on a folder that is synced already, when idle:
 * what is kept per entry, not what the first sync left behind.
 */
async function residentWith(files: number): Promise<Resident> {
  const world = new World()
  try {
    const a = world.path('a')
    for (let i = 0; i < files; i++) {
      const directory = join(a, `d${Math.floor(i / FILES_PER_DIRECTORY)}`)
      if (i % FILES_PER_DIRECTORY === 0) mkdirSync(directory, { recursive: true })
      writeFileSync(join(directory, `${i}.txt`), `file ${i}\n`)
    }
    const first = await world.hub()
    await world.once(a, first, { timeoutMs: 600_000 })
    await first.stop()
    const hub = await world.hub(first.port)
    const running = world.live(a, hub)
    const idle = async (): Promise<boolean> =>
      (await world.status(a).catch(() => undefined))?.state === 'idle'
    await until('the replica is idle', idle, 600_000)
    return {
      replicaMib: await settledMib(running.child.pid!, 'VmRSS'),
      replicaPrivateMib: await settledMib(running.child.pid!, 'RssAnon'),
      hubMib: await settledMib(hub.child.pid!, 'VmRSS'),
    }
  } finally {
    await world.close()
  }
}

/** The lowest of some looks: garbage that waits for its collection is no growth. */
async function settledMib(pid: number, field: 'VmRSS' | 'RssAnon'): Promise<number> {
  let lowest = Number.POSITIVE_INFINITY
  for (let i = 0; i < SAMPLES; i++) {
    await delay(500)
    lowest = Math.min(lowest, memoryMib(pid, field))
  }
  return lowest
}

export async function measureMemory(few: number, many: number): Promise<Figure[]> {
  const small = await residentWith(few)
  const large = await residentWith(many)
  const scenario = `resident, ${few} to ${many} entries`
  const perEntry = (of: (resident: Resident) => number): number =>
    ((of(large) - of(small)) * (1 << 20)) / (many - few)
  return [
    {
      scenario,
      what: 'replica, growth per entry',
      value: perEntry((r) => r.replicaMib),
      unit: 'bytes',
      goal: GOALS.growthBytesPerEntry,
    },
    {
      scenario,
      what: 'replica, private growth per entry',
      value: perEntry((r) => r.replicaPrivateMib),
      unit: 'bytes',
    },
    {
      scenario,
      what: 'hub, growth per entry',
      value: perEntry((r) => r.hubMib),
      unit: 'bytes',
      goal: GOALS.growthBytesPerEntry,
    },
    { scenario, what: `replica at ${many}`, value: large.replicaMib, unit: 'MiB', goal: GOALS.replicaMib },
    { scenario, what: `hub at ${many}`, value: large.hubMib, unit: 'MiB' },
  ]
}
