import { describe, test } from 'vitest'
import { replay } from './simulate.js'

/** As `regressions.test.ts`: bytes that the hub has lost, and asks for. */
const REGRESSIONS: Readonly<Record<string, string>> = {
  // Seed 640130: they were not offered again before the next connection.
  'a hub has lost bytes, and its store takes none when they are offered again': `
    seed 640130
    devices ann bob
    bob create y.txt
    wait 294
    bob create x.txt
    bob create A
    trap ann 3
    backup hub
    wait 176
    rollback hub 817251
    store refuses
    wait 9255
  `,
  // Seed 1001249: where its rows said there was nothing, so it took them for what it does not have.
  'files are renamed whose bytes the hub has lost, before it is connected to again': `
    seed 1001249
    devices ann bob
    bob create y.txt
    wait 357
    bob mkdir d
    bob create d/b
    backup hub
    banish ann
    bob create d/x.txt
    wait 274
    store refuses
    bob create d/y.txt
    rollback hub 988199
    wait 12580
    bob rename d A
  `,
  // The same seed: it took its store for read, and bytes in there for lost.
  'a hub whose database went back cannot read its store when it starts, and starts again': `
    seed 1001249
    devices ann bob
    backup ann
    ann ignore .
    wait 357
    bob mkdir d
    backup hub
    wait 4315757
    ann create d/a
    trap bob 0 rowless
    wait 399
    store refuses
    ann rmdir d
    rollback hub 988199
    wait 338
    rollback ann
  `,
  // Said once, it was kept in mind until the next connection, which never came.
  'who holds the last bytes of what the hub lost is told once, falsely, that it may not upload': `
    seed 1
    devices bob cyd
    bob create y.txt
    wait 8000
    backup hub
    away cyd
    bob create x.txt
    wait 8000
    rollback hub 817251
    store refuses
    return cyd
    wait 258
    accuse bob 4
    wait 60000
    store heals
    wait 30000
  `,
}

describe('[FB13] all becomes equal and idle, and nothing is lost, when', () => {
  test.each(Object.entries(REGRESSIONS))('%s', async (_, script) => {
    await replay(script)
  })
})
