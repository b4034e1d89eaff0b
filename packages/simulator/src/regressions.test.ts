import { describe, test } from 'vitest'
import { replay } from './simulate.js'

/** Runs that failed, cut short by `npm run simulate -- --seeds N --shrink`. Each fails without its fix. */
const REGRESSIONS: Readonly<Record<string, string>> = {
  // Decision 0015; seed 438 of the simulator as it was then.
  'a device and the hub go back and nobody knows any more whose writes a third holds: the round never ends': `
    seed 2
    devices ann bob
    ann create b
    wait 299
    bob wrap b
    wait 13917
    kill ann
    ann case b
    backup ann
    backup hub
    start ann
    ann create B/d
    wait 318
    rollback ann
    rollback hub 283
  `,
  'on a disk with coarse stamps a file is edited in the moment in which it was put there': `
    seed 53
    devices ann cyd:coarse
    ann tree y.txt
    wait 342
    cyd edit y.txt/a/x.txt
  `,
  'a large file is renamed by others in the moment in which it is saved, and its stamps prove nothing': `
    seed 53
    devices ann bob cyd:coarse
    ann tree y.txt
    wait 237
    wait 61
    bob case y.txt/x.txt
    wait 317
    cyd rename y.txt a
    bob rename y.txt/X.TXT y.txt/a/d
    cyd save a/X.TXT 70000
  `,
}

describe('[FB13] all becomes equal and idle, and nothing is lost, when', () => {
  test.each(Object.entries(REGRESSIONS))('%s', async (_, script) => {
    await replay(script)
  })
})
