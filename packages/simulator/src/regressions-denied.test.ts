import { describe, test } from 'vitest'
import { replay } from './simulate.js'

/** As `regressions.test.ts`: what nobody may look at, for a moment. */
const REGRESSIONS: Readonly<Record<string, string>> = {
  // Seed 600106: nobody looked again before the next full scan.
  'an edit was read, and its directory is closed before it is sent, and open again soon': `
    seed 600106
    devices ann bob cyd
    bob create b
    bob tree d
    bob create d/A
    wait 57
    ann create c 70000
    cut bob
    amid bob 0 wrap .
    wait 277
    wait 200
    trap hub 5 after
    cyd rename d b/c
    cyd wrap b/c/A
    crash hub 766165
    wait 297
    power cyd 405021
    start cyd
    wait 417
    ann edit b/c/A/inside
    wait 50
    deny ann b/c
    wait 43
  `,
}

describe('[FB13] all becomes equal and idle, and nothing is lost, when', () => {
  test.each(Object.entries(REGRESSIONS))('%s', async (_, script) => {
    await replay(script)
  })
})
