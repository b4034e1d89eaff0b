import { describe, expect, test } from 'vitest'
import { replay } from './simulate.js'

/** Stands for the act of a person who meddles. */
const MEDDLING = '(amid)'

/** What ann's program does on her disk. */
const UNDER_WAY: Readonly<Record<string, string>> = {
  'a version comes': `
    ann create f
    wait 3000
    (amid)
    bob edit f
    wait 5000
  `,
  'a version comes that hers loses against': `
    ann create f
    wait 3000
    away bob
    bob edit f
    wait 1000
    ann edit f
    wait 2000
    (amid)
    return bob
    wait 5000
  `,
  'a version comes that loses against hers': `
    ann create f
    wait 3000
    away ann
    ann edit f
    wait 1000
    bob edit f
    wait 2000
    (amid)
    return ann
    wait 5000
  `,
  'a file comes': `
    ann create g
    wait 3000
    (amid)
    bob create f
    wait 5000
  `,
  'files move': `
    ann create f
    ann create g
    wait 3000
    (amid)
    bob rename f h
    wait 300
    bob swap g h
    wait 5000
  `,
  'a mode comes': `
    ann create f
    wait 3000
    (amid)
    bob chmod f
    wait 5000
  `,
}

/** What she does to the thing that her program is about to call the disk for. */
const ACTS = [
  'chmod .',
  'chmod . 600',
  'edit .',
  'append .',
  'truncate .',
  'touch .',
  'link . z',
  'rename . z',
  'save .',
  'remove .',
  'wrap .',
  'age . -1000',
]
/** More calls than any of these changes takes. */
const CALLS_MAX = 24
/** … and than these. */
const MOVE_CALLS_MAX = 12
const IS_THOROUGH = process.env.TIDEMARK_CRASHES === 'all'

describe.each(Object.entries(UNDER_WAY))('[FB13] while %s', (_, script) => {
  test.each(ACTS.map((act, i) => [act, i] as const))(
    'she does at any call: %s',
    async (act, i) => {
      const step = IS_THOROUGH || i < 2 ? 1 : 5
      for (let calls = i % step; calls < CALLS_MAX; calls += step) {
        const whole = `devices ann bob\n${script.replace(MEDDLING, `amid ann ${calls} ${act}`)}\nwait 5000\n`
        expect((await replay(whole)).steps).toBeGreaterThan(5)
      }
    },
    60_000,
  )
})

test('[CR18] at any call while a symlink moves she makes a file where it goes', async () => {
  const symlink = (calls: number) => `
    devices ann bob
    ann symlink s q
    ann mkdir d
    wait 3000
    amid ann ${calls} create d/t
    bob rename s d/t
    wait 9000
  `
  const swapped = (calls: number) => `
    devices ann bob
    ann symlink t q
    ann symlink s r
    ann mkdir d
    wait 3000
    amid ann ${calls} create ${calls % 2 === 0 ? 's' : 't'}
    bob rename t u
    bob rename s t
    bob rename u s
    wait 9000
  `
  for (let calls = 0; calls < MOVE_CALLS_MAX; calls++)
    for (const script of [symlink, swapped]) expect((await replay(script(calls))).steps).toBeGreaterThan(4)
})

test('[FB13] at any call while a symlink comes she makes it lead elsewhere', async () => {
  const coming = (calls: number) => `
    devices ann bob
    ann mkdir d
    wait 3000
    amid ann ${calls} relink s other
    bob symlink s q
    wait 9000
  `
  const changed = (calls: number) => `
    devices ann bob
    ann symlink s p
    wait 3000
    amid ann ${calls} relink s other
    bob relink s q
    wait 9000
  `
  for (let calls = 0; calls < MOVE_CALLS_MAX; calls++)
    for (const script of [coming, changed]) expect((await replay(script(calls))).steps).toBeGreaterThan(4)
})
