import { describe, expect, it } from 'vitest'
import { PLANTED_BUGS, type PlantedBug } from './planted-bugs.js'
import { PLANTED_PROFILES, ruleBrokenBy } from './planted-search.js'
import { PROFILES, type Profile, runSimulation } from './simulation.js'

const RUNS = Number(process.env.TIDEMARK_SIM_RUNS ?? 1_500)
const SEED_FIRST = Number(process.env.TIDEMARK_SIM_SEED ?? 1)
/** Shorter than those of `npm run sim`: many short runs find more in the same time. */
const STEPS = 40
const COLLECT_RUNS = 150
/** Something must have died, and be acknowledged. */
const COLLECT_STEPS = 150
const REFUSE_RUNS = 300
const REFUSE_STEPS = 100

async function failuresOf(profile: Profile, seeds: readonly number[], steps: number) {
  const failures: string[] = []
  for (const seed of seeds) {
    await runSimulation({ profile, seed, steps }).catch((error: Error) => {
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

  it('[HB20] refuse: a hub that refuses any subset of writes makes nobody differ, and keeps nothing from the rest', async () => {
    expect(await failuresOf('refuse', range(SEED_FIRST, REFUSE_RUNS), REFUSE_STEPS)).toEqual([])
  }, 300_000)

  it('[EX6] an OPEN that was on its way when its receiver began anew is no answer (seed 2006)', async () => {
    expect(await failuresOf('collect', [2006], 200)).toEqual([])
  })

  it('[SM24] one seed gives one trace', async () => {
    for (const profile of PROFILES) {
      for (const seed of range(1, 10)) {
        const once = await runSimulation({ profile, seed, steps: 100 })
        expect(await runSimulation({ profile, seed, steps: 100 })).toEqual(once)
        const other = await runSimulation({ profile, seed: seed + 1, steps: 100 })
        expect(other.traceHash).not.toBe(once.traceHash)
      }
    }
  })
})

/** A seed that notices the mistake, and the rule that it breaks then. */
const NOTICED_BY: Readonly<Record<PlantedBug, readonly [seed: number, rule: string]>> = {
  'context-from-latest-state': [6, 'VW14'],
  'frontier-before-sync-point': [4, 'EX6'],
  'cursor-kept-over-rollback': [3, 'EX6'],
  'cursor-before-entries': [35, 'EX6'],
  'dots-used-twice': [1, 'IN19'],
  'echo-by-node': [4, 'SE1'],
  'answers-every-sync-point': [1, 'EX10'],
  'collects-alone': [1, 'GC15'],
  'collects-by-age': [4, 'GC15'],
  'tombstones-dropped': [1, 'SE1'],
  'refusal-as-acknowledgement': [4, 'EX6'],
  'takes-back-in-part': [1, 'EX10'],
}
const PLANTED_STEPS = 200

describe('a planted mistake is noticed, and without it there is nothing to notice:', () => {
  it.each(PLANTED_BUGS)('%s', async (bug) => {
    const [seed, rule] = NOTICED_BY[bug]
    expect(await ruleBrokenBy(bug, seed, PLANTED_STEPS)).toBe(rule)
    await runSimulation({ profile: PLANTED_PROFILES[bug], seed, steps: PLANTED_STEPS })
  })
})
