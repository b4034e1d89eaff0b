import { expect, test } from 'vitest'
import { run } from './run.js'

/** `SEEDS=5-20` looks at these. */
const [FIRST = 1, LAST = 20] = (process.env.SEEDS ?? '').split('-').filter(Boolean).map(Number)
const STEPS = Number(process.env.STEPS ?? 60)

test(`devices with simulated disks end equal, and nothing is lost (seeds ${FIRST} to ${LAST})`, async () => {
  for (let seed = FIRST; seed <= LAST; seed++)
    await expect(run({ seed, steps: STEPS })).resolves.toBeUndefined()
}, 600_000)
