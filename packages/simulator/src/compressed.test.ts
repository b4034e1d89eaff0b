import { afterEach, expect, test, vi } from 'vitest'
import { compressor } from './compressor.js'
import { replay, simulate } from './simulate.js'

afterEach(() => vi.restoreAllMocks())

/** Calls of the compressor until now. */
function counted(): { readonly inflated: () => number; readonly deflated: () => number } {
  const [inflate, deflate] = [vi.spyOn(compressor, 'inflate'), vi.spyOn(compressor, 'deflate')]
  return { inflated: () => inflate.mock.calls.length, deflated: () => deflate.mock.calls.length }
}

test('[BG21] [BG26] [TR1] compressed chunks go up, are verified, moved to another pack, and come down', async () => {
  const calls = counted()
  const { swept } = await replay(
    `
    devices ann bob
    away ann
    ann create a 1200000
    ann create b 1200000
    ann create c 1200000
    return ann
    wait 20000
    ann edit a
    ann edit b
    wait 400000
    ann rename c d
    wait 60000
  `,
    { sweeps: true },
  )
  expect(swept).toMatchObject({ rewrittenBlobs: 1 })
  expect(calls.deflated()).toBeGreaterThan(30)
  expect(calls.inflated()).toBeGreaterThan(60)
})

test('[CR18] random hands make contents that are compressed (seeds 1 to 6)', async () => {
  const calls = counted()
  for (let seed = 1; seed <= 6; seed++) await simulate({ seed, steps: 100 })
  expect(calls.inflated()).toBeGreaterThan(100)
})
