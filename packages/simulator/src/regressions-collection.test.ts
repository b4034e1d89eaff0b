import { describe, expect, test } from 'vitest'
import { replay } from './simulate.js'

/** As `regressions.test.ts`: runs in which deletions are collected. */
const REGRESSIONS: Readonly<Record<string, string>> = {
  // Seed 1001611: its bytes were offered to the hub again at the next change only.
  'a program begins anew that has what the hub shows': `
    seed 1001611
    devices app:api
    app create d 1300000
    wait 279
    refuse 100
    app edit d
    wait 174
    demote app
    wait 397
  `,
  // Seed 322 of 120 steps: writes above a collected one were claimed with it: who came later, and still had it, kept it alone.
  'a hub goes back, two learn what it shows, and one comes that never heard of what they have collected': `
    seed 322
    devices ann bob cyd
    bob create c 70000
    trap bob 7
    wait 343
    backup hub
    cyd create A
    ann create x.txt
    wait 301
    ann remove x.txt
    ann create y.txt
    wait 8201919
    rollback hub 294681
  `,
  // Seed 318 of 120 steps: it had received the deletion, and its tree was older: the move was to a node without contents.
  'one that may not write for a time has moved what was deleted and collected meanwhile': `
    seed 318
    devices ann bob
    ann create a
    wait 6302
    bob create x.txt
    bob rename x.txt y.txt
    wait 285
    bob wrap a
    bob swap a/inside y.txt
    bob rename a x.txt
    ann remove y.txt
    demote bob
    wait 1280
    kill ann
    wait 7904818
  `,
  // Seed 1347 of 120 steps: it learned from the hub that had gone back, and kept what the others had collected with that hub since.
  'a hub goes back and goes on, and one comes that is ahead of it and behind it': `
    seed 1347
    devices ann bob cyd
    bob create a
    cyd create b
    wait 698
    ann wrap a
    backup hub
    wait 1805093
    ann remove b
    fill bob db
    rollback hub 427366
    wait 10392132
  `,
  // Seed 1121 of 120 steps: what was not made there was to be made durable, and the link led to itself, at each pass.
  'one that begins anew has a link to itself where a directory is to be': `
    seed 1121
    devices ann bob cyd
    banish bob
    cyd create x.txt
    wait 5215
    bob symlink x.txt x.txt
    cyd wrap x.txt
    kill cyd
    wait 4580648
    start cyd
    wait 117
    cyd case x.txt
    wait 347
    ann create X.TXT/a
    demote bob
    ann case X.TXT
    wait 15394
    cyd mkdir x.txt/c
    wait 3396
    cyd link x.txt/a x.txt/c/A
  `,
  // Seed 170572: the program brought back, as new, what somebody else had overwritten, and of which nobody had bytes.
  'a hub goes back, and a program begins anew that had received what is nowhere else': `
    seed 170572
    devices ann bob app:api
    ann create longé.txt
    ann mkdir c
    wait 310
    slow ann 2728
    backup hub
    bob create a
    wait 395
    power ann 366996
    bob save a
    start ann
    rollback hub 215960
    power app 972623
    kill bob
    wait 6637566
  `,
  // Seed 170116: once the hub went back further, it still claimed what it had collected with it, and refused a deletion.
  'a hub goes back twice while one takes in what the hub shows': `
    seed 170116
    devices ann bob
    wait 302
    ann create d
    kill bob
    wait 114
    ann create b
    bob mkdir c
    wait 241
    ann create c
    ann create A
    amid ann 5 case .
    ann create a
    wait 4441364
    bob create b
    backup hub
    start bob
    ann create c
    wait 14
    trap ann 9
    ann replace C a
    ann save c
    ann create y.txt
    wait 7650832
    start ann
    rollback hub 356485
    wait 259
    rollback hub 454716
  `,
  // Seed 1934 of 120 steps: what came back was told of, and its bytes were not sent again.
  'a hub goes back, and a program begins anew that has the only bytes of what it wrote': `
    seed 1934
    devices ann app:api
    ann create x.txt
    wait 5000
    backup hub
    kill ann
    wait 100
    app create d
    wait 5000
    kill app
    rollback hub 0
    start ann
    wait 1000
    ann remove x.txt
    wait 7200000
    start app
    wait 10000
  `,
  // Seed 202436: the move was refused, and tried again without a pause for ever.
  'one that was away moves a directory into what others had moved into that directory': `
    seed 202436
    devices ann bob
    ann mkdir x
    ann mkdir x/c
    ann create x/c/f
    ann create gone
    wait 10000
    bob rename x/c A
    wait 10000
    kill bob
    wait 100
    ann rename A x/c
    wait 5000
    ann remove gone
    wait 9000000
    bob rename x A/y
    start bob
    wait 60000
  `,
  // Seed 440169: the name of the directory had become another's there, and the move was refused for ever.
  'the same, and others gave its place to a file that had shared its name': `
    seed 440169
    devices ann bob
    ann mkdir A
    ann create A/f
    ann create gone
    wait 10000
    slow ann 1000
    ann mkdir x
    wait 2000
    bob create x
    wait 2000
    ann rename x A/x
    wait 700
    kill bob
    wait 20000
    fast ann
    ann remove gone
    wait 9000000
    bob edit x#1
    bob rename A x/A
    start bob
    wait 60000
  `,
  // Seed 261175 of 300 steps, a mistake of the rule `frontier`: the copy that was looked at wrote itself.
  'a program begins anew, and its database is looked at before it has brought back what only it had': `
    seed 261175
    devices ann app:api
    ann create A
    wait 334
    ann wrap A
    wait 1796
    app create A/b
    crash hub 583727
    kill app
    wait 4887105
    start app
    wait 182
    trap hub 2 before
    crash hub 788435
    wait 359
    trap app db 4 bare
    wait 485
  `,
  // Of the checks: that it had arrived can be told by nobody.
  'a program ends in the middle of a round, and others delete what it had sent while nobody waits for it any more': `
    seed 100
    devices ann bob cyd
    ann tree b
    bob create a
    wait 474
    bob chmod a 755
    wait 19191
    ann create c
    wait 179
    cyd link b/x.txt b/a/b/c
    ann edit a 1300000
    wait 248
    kill ann
    wait 3218
    cyd remove a
    wait 4094201
  `,
  // Its row went with the mode, and the old bytes were sent as a new file.
  'one that was away for too long has only another mode of what others have deleted': `
    seed 1
    devices ann cyd
    ann create y
    wait 5000
    kill ann
    ann chmod y
    cyd remove y
    wait 7200000
  `,
  // That it waits no longer was not durable, and others had collected what that one had not heard of.
  'the power of a hub goes long after it has stopped waiting for somebody': `
    seed 3202507
    devices ann bob cyd
    cyd create c
    cyd wrap c
    cyd tree c/c
    wait 493
    ann case c/c/x.txt
    cyd case c/c/x.txt
    trap bob db 1 bare
    cyd remove c/c/X.TXT
    kill ann
    wait 2513409
    wait 2715351
    crash hub 335288
  `,
}

describe('[GC17] all becomes equal and idle, and nothing is lost or remembered, when', () => {
  test.each(Object.entries(REGRESSIONS))('%s', async (_, script) => {
    await replay(script)
  })
})

test('[FB10] a directory that was moved into what others had moved into it is moved for everybody, not made again', async () => {
  const name = 'one that was away moves a directory into what others had moved into that directory'
  const { trace } = await replay(REGRESSIONS[name]!)
  const sent = trace.filter((line) => / bob sent /.test(line)).map((line) => line.replace(/^\d+ /, ''))
  expect(sent).toEqual(['bob sent A: move', 'bob sent A/y: move'])
})
