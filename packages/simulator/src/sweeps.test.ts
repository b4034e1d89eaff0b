import { expect, test } from 'vitest'
import { simulate } from './simulate.js'

/** More: `npm run simulate -- --sweeps --seeds 100-200 --steps 300`. */
const [FIRST, LAST] = [1, 8]

test(`[BG21] [BG25] devices become equal under a hub that deletes what nobody needs, within minutes (seeds ${FIRST} to ${LAST})`, async () => {
  let [deleted, rewritten] = [0, 0]
  for (let seed = FIRST; seed <= LAST; seed++) {
    const { swept } = await simulate({ seed, steps: 100, sweeps: true })
    deleted += swept.deletedBlobs
    rewritten += swept.rewrittenBlobs
  }
  expect(deleted).toBeGreaterThan(10)
  expect(rewritten).toBeGreaterThan(0)
})
