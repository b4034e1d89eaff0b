import { describe, expect, test } from 'vitest'
import { replay } from './simulate.js'

/** Others made `C` executable, and there is no room for its other version. */
const HELD = `
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
`

/** As `regressions.test.ts`: what is done on disk while another version of the same file waits for its bytes. */
const REGRESSIONS: Readonly<Record<string, string>> = {
  // Seed 480291: it was made executable again and again, without a pause, as long as the disk was full.
  'a file is made executable while there is no room for its other version': `${HELD}wait 120000`,
  'the same, and then it is what it was': `${HELD}bob chmod C 644\nwait 10000`,
}

describe('[FB13] all becomes equal and idle, and nothing is lost, when', () => {
  test.each(Object.entries(REGRESSIONS))('%s', async (_, script) => {
    await replay(script)
  })

  test.each([
    ['is renamed', 'ann rename C D', 'D', true],
    ['is not to be executed after all, as its user sees it', 'ann chmod C 644', 'C', false],
    ['is edited', 'ann truncate C', 'C', true],
  ])(
    'a file that others made executable %s, while its other version waits',
    async (_, act, name, isExecutable) => {
      const { trace } = await replay(`${HELD}\n${act}\nwait 60000\nroom ann\nwait 60000`)
      const end = JSON.parse(trace.at(-1)!.replace(/^.*in the end: /, '')) as Record<string, string>
      expect([name, end[name]?.endsWith(' x')]).toEqual([name, isExecutable])
    },
  )
})
