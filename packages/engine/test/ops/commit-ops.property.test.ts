import { describe, expect, it } from 'vitest'
import { runSeed } from './run-seed.js'

const SEED_FIRST = Number(process.env.TIDEMARK_SEED ?? 1)
const SEED_COUNT = Number(process.env.TIDEMARK_SEEDS ?? 800)

describe('batches of ops by users who see different states', () => {
  it(`[VW14, NL11, NR12] change only their targets, converge, lose nothing and bring nothing back (${SEED_COUNT} seeds)`, async () => {
    const failures: string[] = []
    for (let seed = SEED_FIRST; seed < SEED_FIRST + SEED_COUNT; seed++) {
      await runSeed(seed).catch((error: Error) => failures.push(`seed ${seed}: ${error.message}`))
    }
    expect(
      failures.length === 0 ? '' : `${failures.length} failures\n${failures.slice(0, 6).join('\n')}`,
    ).toBe('')
  }, 300_000)
})
