import { expect, test } from 'vitest'
import { SimulationError, simulate } from './simulate.js'

/** Others: `SEEDS=100-200 STEPS=300 npx vitest run packages/simulator`. */
const [FIRST = 1, LAST = 10] = (process.env.SEEDS ?? '').split('-').filter(Boolean).map(Number)
const STEPS = Number(process.env.STEPS ?? 60)
const MS_PER_SEED_MAX = 30_000

test(`[CR18] [FB13] devices with simulated disks become equal and idle, and nothing is lost (seeds ${FIRST} to ${LAST})`, {
  timeout: (LAST - FIRST + 1) * MS_PER_SEED_MAX,
}, async () => {
  for (let seed = FIRST; seed <= LAST; seed++) await simulate({ seed, steps: STEPS })
})

test('one seed is one run', async () => {
  const [once, again] = [await simulate({ seed: 3, steps: 80 }), await simulate({ seed: 3, steps: 80 })]
  expect(again).toEqual(once)
}, 60_000)

test('disks that only claim to make things durable are noticed within five seeds', async () => {
  const runs = async (): Promise<void> => {
    for (let seed = 1; seed <= 5; seed++) await simulate({ seed, steps: 120, isLying: true })
  }
  await expect(runs()).rejects.toBeInstanceOf(SimulationError)
}, 60_000)

test('a round that nobody ends stops no folder for ever (seed 438, decision 0015)', async () => {
  await simulate({ seed: 438, steps: 300 })
}, 60_000)

test('what stands in a directory that is dead by itself is sent, not waited for (seed 529)', async () => {
  await simulate({ seed: 529, steps: 300 })
}, 60_000)
