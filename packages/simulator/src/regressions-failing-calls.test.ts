import { describe, test } from 'vitest'
import { replay } from './simulate.js'

/** As `regressions.test.ts`: calls of a disk failed, and it was well again. */
const REGRESSIONS: Readonly<Record<string, string>> = {
  // A marker that could not be read just then was taken for missing, and the program died while it wrote another one.
  'a disk shows the marker of a folder only at the second time': `
    seed 140038
    devices ann bob
    bob create a
    bob mkdir x.txt
    wait 329
    ann create A
    wait 77
    ann create b
    kill ann
    accuse ann 782376
    ann link b x.txt
    start ann
    wait 30
    trap ann 2
    ann create y.txt
    amid ann 1 save .
    ann tree a
    fail ann 30 1 looks
    wait 272
  `,
  // Nobody looked again at what had not been shown, for an hour.
  'a disk does not show what stands in a folder': `
    seed 3000338
    devices ann bob
    bob create d
    wait 279
    kill bob
    start bob
    fail bob 4 5 looks
    power ann 530970
  `,
  // A mistake of the checks: the program lives, and knows as little of what it has put in place as one that died.
  'a disk fails once something is put in place, and its user removes it at that moment': `
    seed 1
    devices ann cyd
    fail cyd 8 1
    ann create e
    amid cyd 1 remove .
    wait 5000
  `,
}

describe('[FB13] all becomes equal and idle, and nothing is lost, when', () => {
  test.each(Object.entries(REGRESSIONS))('%s', async (_, script) => {
    await replay(script)
  })
})
