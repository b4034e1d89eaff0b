import { describe, expect, test } from 'vitest'
import { replay } from './simulate.js'

/** Stands for an act that sets a trap. */
const TRAP = '(trap)'

/** What is under way at ann's device when her program dies. */
const UNDER_WAY: Readonly<Record<string, string>> = {
  'a version comes that hers loses against': `
    ann create f
    wait 3000
    away bob
    bob edit f
    wait 1000
    ann edit f
    wait 2000
    (trap)
    return bob
    wait 5000
  `,
  'a version comes': `
    ann create f
    wait 3000
    (trap)
    bob edit f
    wait 5000
  `,
  'a large version comes': `
    ann create f
    wait 3000
    (trap)
    bob edit f 400000
    wait 5000
  `,
  'a file moves': `
    ann create f
    ann mkdir d
    wait 3000
    (trap)
    bob rename f d/f
    wait 5000
  `,
  'two files change places': `
    ann create f
    ann create g
    wait 3000
    (trap)
    bob swap f g
    wait 5000
  `,
  'a file comes': `
    wait 2000
    (trap)
    bob create f
    wait 5000
  `,
  'a tree comes': `
    ann mkdir d
    wait 2000
    (trap)
    bob tree d/f
    wait 5000
  `,
  'a file goes': `
    ann create f
    wait 3000
    (trap)
    bob remove f
    wait 5000
  `,
}

/** What ann does before she starts it again. */
const MEANWHILE = [
  'save f',
  'edit f',
  'create f',
  'remove f',
  'rename f z',
  'savebeside f',
  'wrap f',
  'replace f z',
  'save d/f',
  'remove d/f',
  'rename d z',
  'rmdir d',
  'save f#1',
  'replace f#1 f',
  'swap f g',
  'remove g',
]

/** More calls than any of these changes takes. */
const CALLS_MAX = 12
const IS_THOROUGH = process.env.TIDEMARK_CRASHES === 'all'

describe.each(Object.entries(UNDER_WAY))('[CR18] her program dies at any call while %s', (_, script) => {
  test.each(MEANWHILE.map((act, i) => [act, i] as const))(
    'and then she does: %s',
    async (act, i) => {
      const step = IS_THOROUGH ? 1 : 3
      for (let calls = IS_THOROUGH ? 0 : i % step; calls < CALLS_MAX; calls += step) {
        for (const death of IS_THOROUGH ? ['before', 'after', 'bare'] : ['after']) {
          const dying = script.replace(TRAP, `trap ann ${calls} ${death}`)
          const whole = `devices ann bob\n${dying}\nkill ann\nann ${act}\nstart ann\nwait 5000\n`
          expect((await replay(whole)).steps).toBeGreaterThan(5)
        }
      }
    },
    60_000,
  )
})
