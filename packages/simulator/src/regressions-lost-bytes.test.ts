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
}

describe('[FB13] all becomes equal and idle, and nothing is lost, when', () => {
  test.each(Object.entries(REGRESSIONS))('%s', async (_, script) => {
    await replay(script)
  })
})
