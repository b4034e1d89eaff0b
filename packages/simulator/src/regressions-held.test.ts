import { describe, test } from 'vitest'
import { replay } from './simulate.js'

/** As `regressions.test.ts`: what is done on disk while another version of the same file waits for its bytes. */
const REGRESSIONS: Readonly<Record<string, string>> = {
  // Seed 480291: it was made executable again and again, without a pause, as long as the disk was full.
  'a file is made executable while there is no room for its other version': `
    seed 1
    devices ann bob cyd
    ann create C
    wait 3000
    kill ann
    cyd edit C
    wait 3000
    ann edit C
    start ann
    wait 3000
    kill ann
    bob chmod C 755
    wait 3000
    cyd edit C#1
    wait 3000
    start ann
    fill ann
    wait 120000
  `,
  'the same, and then it is what it was': `
    seed 1
    devices ann bob cyd
    ann create C
    wait 3000
    kill ann
    cyd edit C
    wait 3000
    ann edit C
    start ann
    wait 3000
    kill ann
    bob chmod C 755
    wait 3000
    cyd edit C#1
    wait 3000
    start ann
    fill ann
    wait 10000
    bob chmod C 644
    wait 10000
  `,
}

describe('[FB13] all becomes equal and idle, and nothing is lost, when', () => {
  test.each(Object.entries(REGRESSIONS))('%s', async (_, script) => {
    await replay(script)
  })
})
