import { describe, expect, it } from 'vitest'
import type { PlantedBug } from './planted-bugs.js'
import { type Profile, runSimulation } from './simulation.js'

const RUNS = Number(process.env.TIDEMARK_SIM_RUNS ?? 1_500)
const SEED_FIRST = Number(process.env.TIDEMARK_SIM_SEED ?? 1)
/** Shorter than those of `npm run sim`: many short runs find more in the same time. */
const STEPS = 40
const COLLECT_RUNS = 150
/** Something must have died, and be acknowledged. */
const COLLECT_STEPS = 150

async function failuresOf(profile: Profile, seeds: readonly number[], steps: number, bug?: PlantedBug) {
  const failures: string[] = []
  for (const seed of seeds) {
    await runSimulation({ profile, seed, steps, ...(bug ? { bug } : {}) }).catch((error: Error) => {
      failures.push(`seed ${seed}: ${error.message}`)
    })
  }
  return failures
}

const range = (from: number, count: number): number[] => Array.from({ length: count }, (_, i) => from + i)

describe('groups of replicas over a network that goes wrong', () => {
  it.each(['exchange', 'view'] as const)(
    '[J5] [EX6] [EX7] [EX8] [EX9] [EX10] [IN19] [NL11] [NR12] [VW4] [VW14] %s: every rule holds in every run',
    async (profile) => {
      expect(await failuresOf(profile, range(SEED_FIRST, RUNS), STEPS)).toEqual([])
    },
    300_000,
  )

  it('[GC15] [GC16] collect: what is dead for everybody goes everywhere, and nothing else', async () => {
    expect(await failuresOf('collect', range(SEED_FIRST, COLLECT_RUNS), COLLECT_STEPS)).toEqual([])
  }, 300_000)

  it('[EX6] an OPEN that was on its way when its receiver began anew is no answer (seed 2006)', async () => {
    expect(await failuresOf('collect', [2006], 200)).toEqual([])
  })

  it('[SM24] one seed gives one trace', async () => {
    for (const profile of ['exchange', 'view', 'collect'] as const) {
      for (const seed of range(1, 10)) {
        const once = await runSimulation({ profile, seed, steps: 100 })
        expect(await runSimulation({ profile, seed, steps: 100 })).toEqual(once)
        const other = await runSimulation({ profile, seed: seed + 1, steps: 100 })
        expect(other.traceHash).not.toBe(once.traceHash)
      }
    }
  })
})

/** Seeds within which a mistake must show. */
const SEEDS_MAX: Readonly<Record<PlantedBug, readonly [profile: Profile, seeds: number]>> = {
  'context-from-latest-state': ['view', 60],
  'context-without-exceptions': ['exchange', 250],
  'frontier-before-sync-point': ['exchange', 20],
  'cursor-kept-over-rollback': ['exchange', 40],
  'cursor-before-entries': ['exchange', 100],
  'dots-used-twice': ['exchange', 20],
  'echo-by-node': ['exchange', 20],
  'answers-every-sync-point': ['exchange', 10],
  'collects-alone': ['collect', 20],
}

describe('planted mistakes', () => {
  it.each(Object.entries(SEEDS_MAX) as [PlantedBug, readonly [Profile, number]][])(
    '%s shows within its number of seeds',
    async (bug, [profile, seeds]) => {
      for (const seed of range(1, seeds)) {
        if ((await failuresOf(profile, [seed], 200, bug)).length > 0) return
      }
      expect.fail(`${seeds} seeds did not show it`)
    },
  )
})
