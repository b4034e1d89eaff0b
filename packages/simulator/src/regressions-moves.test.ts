import { describe, test } from 'vitest'
import { replay } from './simulate.js'

/** As `regressions.test.ts`: things that are moved while they cannot be sent, and removed where others move them. */
const REGRESSIONS: Readonly<Record<string, string>> = {
  // Seed 474593: it passed for being where its move had been refused, and was looked for there for ever.
  'a file is moved while nothing can be sent, and then over another one': `
    seed 474593
    devices ann bob app:api
    bob create y.txt
    bob rename y.txt a
    ann create y.txt
    app create l.txt
    wait 462
    bob create A
    bob wrap l.txt
    bob wrap A
    ann rename y.txt c
    ann case c
    wait 1222
    banish bob
    wait 373
    bob swap l.txt/inside a
    wait 6592
    bob rename C A/a
    readmit bob
    wait 5023
    wait 110
    bob swap a A/inside
    bob replace A/a l.txt/inside
    wait 18306
    bob edit l.txt/inside
    bob rmdir A
  `,
  // Seed 474556: a mistake of the checks. What a program removes is what is there when it does.
  'a program without a folder removes a file whose name a directory gets meanwhile': `
    seed 474556
    devices bob cyd app:api
    wait 45
    cyd tree A
    bob create A 1200000
    crash hub 310879
    demote cyd
    cyd save A/a/x.txt 1200000
    wait 633
    banish app
    app remove A
  `,
  // Seed 501277: what is below such a link cannot be looked at, and what was under way there waited for ever.
  'a program dies while a directory comes, and a link to itself stands in its place then': `
    seed 501277
    devices ann bob cyd
    cyd create y.txt
    ann create y.txt
    bob create b
    wait 550
    cyd create a
    ann rename b a
    cyd mkdir A
    cyd mkdir A/y.txt
    cyd edit y.txt#1
    demote ann
    cyd rename A c
    wait 291
    kill ann
    start ann
    ann symlink c c
    trap ann 11
    wait 173
    bob case c
  `,
  // Of the checks: the copy becomes a file of its own, as it does when it is renamed.
  'one makes a conflict copy executable while another edits it': `
    seed 34
    devices ann bob cyd app:api
    bob create y.txt
    wait 343
    cyd rename y.txt x.txt
    bob edit y.txt
    wait 155
    app edit x.txt
    wait 335
    cyd edit x.txt#1
    ann chmod x.txt#1 755
  `,
}

describe('[FB13] all becomes equal and idle, and nothing is lost, when', () => {
  test.each(Object.entries(REGRESSIONS))('%s', async (_, script) => {
    await replay(script)
  })
})
