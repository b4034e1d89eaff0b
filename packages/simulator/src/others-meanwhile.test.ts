import { describe, expect, test } from 'vitest'
import { replay } from './simulate.js'

/** Stands for an act that sets a trap. */
const TRAP = '(trap)'

/** What is under way in a directory of ann's when her program dies. */
const UNDER_WAY: Readonly<Record<string, string>> = {
  'a version comes that hers loses against': `
    ann create d/f
    wait 3000
    away bob
    bob edit d/f
    wait 1000
    ann edit d/f
    wait 2000
    (trap)
    return bob
    wait 5000
  `,
  'a version comes that loses against hers': `
    ann create d/f
    wait 3000
    away ann
    ann edit d/f
    bob edit d/f
    wait 2000
    (trap)
    return ann
    wait 5000
  `,
  'a version comes': `
    ann create d/f
    wait 3000
    (trap)
    bob edit d/f
    wait 5000
  `,
  'a file comes': `
    wait 2000
    (trap)
    bob create d/f
    wait 5000
  `,
  'a tree comes': `
    wait 2000
    (trap)
    bob tree d/f
    wait 5000
  `,
  'a file goes': `
    ann create d/f
    wait 3000
    (trap)
    bob remove d/f
    wait 5000
  `,
  'a file comes from elsewhere': `
    ann create f
    wait 3000
    (trap)
    bob rename f d/f
    wait 5000
  `,
  'a file goes elsewhere': `
    ann create d/f
    wait 3000
    (trap)
    bob rename d/f f
    wait 5000
  `,
  'two files change places': `
    ann create d/f
    ann create g
    wait 3000
    (trap)
    bob swap d/f g
    wait 5000
  `,
}

/** What bob does then. */
const MEANWHILE = [
  'edit d/f',
  'remove d/f',
  'create d/f',
  'rename d/f z',
  'rename d/f d/z',
  'rename f d/z',
  'remove d/f#1',
  'rename d/f#1 z',
  'replace d/f#1 d/f',
  'rename d z',
  'rmdir d',
  'wrap d/f',
  'remove g',
  'swap g d/f',
]

/** How ann's program does not learn at once what it has left there. */
const WAYS: Readonly<Record<string, (act: string) => string>> = {
  'it is off': (act) => `${act}\nwait 5000\nstart ann`,
  'it may not look there': (act) => `deny ann d\nstart ann\n${act}\nwait 5000\nallow ann`,
}

/** More calls than any of these changes takes. */
const CALLS_MAX = 12
const IS_THOROUGH = process.env.TIDEMARK_CRASHES === 'all'

describe.each(Object.entries(UNDER_WAY))('[CR18] her program dies at any call while %s', (_, script) => {
  test.each(MEANWHILE.map((act, i) => [act, i] as const))(
    'and others do, while it is off or may not look there: %s',
    async (act, i) => {
      const step = IS_THOROUGH ? 1 : 6
      for (let calls = IS_THOROUGH ? 0 : i % step; calls < CALLS_MAX; calls += step) {
        for (const death of IS_THOROUGH ? ['before', 'after', 'bare'] : ['after']) {
          for (const meanwhile of Object.values(WAYS)) {
            const dying = script.replace(TRAP, `trap ann ${calls} ${death}`)
            const whole = `devices ann bob\nann mkdir d\n${dying}\nkill ann\n${meanwhile(`bob ${act}`)}\nwait 5000`
            expect((await replay(whole)).steps).toBeGreaterThan(5)
          }
        }
      }
    },
    120_000,
  )
})
