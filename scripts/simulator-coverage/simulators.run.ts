import { runSimulation } from '@tidemark/engine/testing'
import { simulate } from '@tidemark/simulator'
import { describe, expect, test } from 'vitest'

/** So many seeds of each; fewer make a quick look. */
const SEEDS = Number(process.env.SEEDS ?? 300)
const STEPS = 120

/** Every seed runs, so that what is counted does not depend on which of them fail. */
async function runAll(run: (seed: number) => Promise<unknown>): Promise<string[]> {
  const failed: string[] = []
  for (let seed = 1; seed <= SEEDS; seed++) {
    await run(seed).catch((error: Error) => failed.push(`seed ${seed}: ${error.message.slice(0, 200)}`))
  }
  return failed
}

describe('only the simulators run', () => {
  test(`${SEEDS} seeds of whole devices`, async () => {
    expect(await runAll((seed) => simulate({ seed, steps: STEPS }))).toEqual([])
  })

  for (const profile of ['exchange', 'view', 'collect'] as const) {
    test(`${SEEDS} seeds of ${profile}`, async () => {
      expect(await runAll((seed) => runSimulation({ profile, seed, steps: STEPS }))).toEqual([])
    })
  }
})
