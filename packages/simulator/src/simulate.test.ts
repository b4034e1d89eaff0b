import { describe, expect, test } from 'vitest'
import { formatScript } from './script.js'
import { replay, simulate } from './simulate.js'

/** More: `npm run simulate -- --seeds 100-200 --steps 300`. */
const [FIRST, LAST] = [1, 8]
const STEPS = 60

test(`[CR18] [FB13] devices under random hands and troubles become equal and idle, and nothing is lost (seeds ${FIRST} to ${LAST})`, async () => {
  for (let seed = FIRST; seed <= LAST; seed++) await simulate({ seed, steps: STEPS })
})

describe('a run', () => {
  test('[SM24] one seed is one run, down to the hash of its trace', async () => {
    const [once, again] = [await simulate({ seed: 3, steps: 80 }), await simulate({ seed: 3, steps: 80 })]
    expect(again.trace).toEqual(once.trace)
    expect(again.traceHash).toBe(once.traceHash)
  })

  test('[SM24] the script of a run, written and read, is the same run', async () => {
    const once = await simulate({ seed: 5, steps: 80 })
    const again = await replay(formatScript(once.script))
    expect(again.trace).toEqual(once.trace)
    expect(again).toMatchObject({ steps: once.steps, virtualMs: once.virtualMs, messages: once.messages })
  })

  test('another seed is another run', async () => {
    const [one, other] = [await simulate({ seed: 1, steps: 20 }), await simulate({ seed: 2, steps: 20 })]
    expect(other.traceHash).not.toBe(one.traceHash)
  })

  test('a hub that dies as it starts, in the last moment, starts again (seed 461186)', async () => {
    const { trace } = await replay(`
      seed 461186
      devices ann bob
      ann create a
      wait 1000
      fill hub
      ann create b
      wait 500
      trap hub 0 before
      crash hub 336671
      room hub
    `)
    expect(trace.join('\n')).toContain('the hub dies at a write')
    expect(trace.at(-1)).toContain('"b"')
  })
})
