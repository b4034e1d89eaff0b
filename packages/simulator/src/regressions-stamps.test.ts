import { describe, test } from 'vitest'
import { replay } from './simulate.js'

/** As `regressions.test.ts`: what the stamps of a file did not tell. */
const REGRESSIONS: Readonly<Record<string, string>> = {
  'a file that came in is written to, and given its old time, within the two seconds of a coarse disk (seed 410330)': `
    seed 410330
    devices ann bob cyd:coarse
    cyd create y.txt
    wait 382
    bob create c
    readmit cyd
    wait 77
    wait 304
    cyd edit y.txt
    ann age y.txt -15
    wait 274
    cyd age y.txt#1 -2
  `,
  'a file is written to on a coarse disk in the moment in which another version takes its place (seed 639)': `
    seed 639
    devices bob cyd:coarse
    wait 44
    cyd create d
    amid bob 3 append .
    wait 145
    wait 142
    amid cyd 4 edit .
    wait 276
  `,
  'a small file is written to, given its old time, and renamed (seed 420371)': `
    seed 420371
    devices ann bob
    ann create d
    bob create A
    amid ann 0 wrap .
    wait 302
    ann case d
    bob age A -13
    ann mkdir c
    wait 222
    ann rename A D/d
    wait 276
    ann mkdir x.txt
    ann mkdir A
    ann rename D x.txt/b
    ann rename c A/A
    ann mkdir A/A/y.txt
    ann age x.txt/b/d -13
    ann rename x.txt/b/d A/A/y.txt/b
  `,
}

describe('[FB13] all becomes equal and idle, and nothing is lost, when', () => {
  test.each(Object.entries(REGRESSIONS))('%s', async (_, script) => {
    await replay(script)
  })
})
