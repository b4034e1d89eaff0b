import { describe, test } from 'vitest'
import { replay } from './simulate.js'

/** As `regressions.test.ts`: runs in which large files have one content. */
const REGRESSIONS: Readonly<Record<string, string>> = {
  // Seed 30061 of 300 steps: the copy had the part of both and waited for the directory.
  'a large file leaves its name to a directory with a copy of it': `
    seed 2
    devices ann bob
    ann create x
    wait 3000
    away bob
    ann rename x y
    wait 3000
    ann edit y 70000
    wait 3000
    ann mkdir x
    ann link y x/z
    wait 3000
    return bob
    wait 3000
  `,
  'two files change places and get one large content': `
    devices ann bob
    ann create x
    ann create y
    wait 3000
    away bob
    ann swap x y
    wait 3000
    ann edit x 70000
    wait 3000
    ann link x k
    ann replace k y
    wait 3000
    return bob
    wait 3000
  `,
  // What was done to one name changed the stamps of the other: each pass undid what it had begun.
  'two names of one large file change places, and both get new contents': `
    seed 1
    devices ann bob
    bob create a 70000
    bob link a b
    wait 9000
    kill bob
    ann swap a b
    ann edit a
    ann edit b
    wait 3000
  `,
}

describe('[FB13] all becomes equal and idle, and nothing is lost, when', () => {
  test.each(Object.entries(REGRESSIONS))('%s', async (_, script) => {
    await replay(script)
  })
})
