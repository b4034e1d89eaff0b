import { expect, test } from 'vitest'
import { bind, hub, onDisk } from './fixture.js'
import { act, generator } from './random-hands.js'

/** Replay one failure: `TIDEMARK_SEED=…`; look for others: `TIDEMARK_SEEDS=<count>`. */
const SEEDS = process.env.TIDEMARK_SEED
  ? [Number(process.env.TIDEMARK_SEED)]
  : Array.from({ length: Number(process.env.TIDEMARK_SEEDS ?? 3) }, (_, i) => i + 1)
const ROUNDS = Number(process.env.TIDEMARK_ROUNDS ?? 4)

test.each(SEEDS)('two folders under random hands end equal (TIDEMARK_SEED=%i)', async (seed) => {
  const random = generator(seed)
  const theHub = await hub()
  const both = [await bind({ hub: theHub }), await bind({ hub: theHub })]
  const log: string[] = []
  const settleAll = async () => {
    for (let round = 0; round < 2; round++) {
      await Promise.all(both.map(({ binding }) => binding.settled({ signal: AbortSignal.timeout(15_000) })))
    }
  }
  try {
    for (let round = 0; round < ROUNDS; round++) {
      for (let step = 0; step < 12; step++) {
        const side = random(2)
        log.push(`${'ab'[side]}: ${act(both[side]!, random, `${round}.${step} by ${side}`)}`)
        if (random(3) === 0) await new Promise((resolve) => setTimeout(resolve, random(60)))
      }
      await settleAll()
      log.push('settled')
      // Each is one with the hub; what the hub got from one last may still be on its way to the other.
      const trees = () =>
        both.map(({ directory }) => JSON.stringify(Object.entries(onDisk(directory)).sort()))
      await expect.poll(() => new Set(trees()).size, { timeout: 10_000 }).toBe(1)
    }
  } catch (error) {
    const status = both.map(({ binding }) => JSON.stringify(binding.status))
    throw new Error([...log, ...status, String(error)].join('\n'), { cause: error })
  }
})
