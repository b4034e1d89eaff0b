import { describe, expect, test } from 'vitest'
import { PLANTED_BUGS } from './planted-bugs.js'
import { replay } from './simulate.js'
import { type Rule, SimulationError } from './simulation-error.js'

/** Long enough for what these few acts need, milliseconds: what never becomes well shows soon. */
const PATIENCE_MS = 60_000

const POWER_CUT = `
  seed 1
  devices ann bob
  ann create f 9000
  wait 2000
  power bob 1
`
const DIES_IN_THE_MIDDLE = `
  seed 1
  devices ann bob
  ann create f
  wait 9000
  bob edit f
  trap ann 4
  wait 9000
  bob edit f
  wait 9000
  start ann
`
const EDITED_IN_THE_MIDDLE = (calls: number): string => `
  seed 1
  devices ann bob
  ann create f
  wait 9000
  bob edit f
  amid ann ${calls} edit f
  wait 9000
`
const ONE_FILE = `
  seed 1
  devices ann bob
  ann create f
  wait 2000
`

/** Ann's edit is written down and not sent; the hub waits for her no longer, and she begins anew. */
const AWAY_WITH_AN_EDIT = `
  seed 1
  devices ann bob
  ann create f
  ann create g
  wait 9000
  ann edit f
  trap ann db 0 after
  wait 2000
  bob remove g
  wait 9000000
  start ann
  wait 20000
`

/** A script that notices the mistake, and the rule that it then breaks. */
const NOTICED_BY: Readonly<Record<string, readonly [rule: Rule, script: string]>> = {
  'goes-on-while-beginning-anew': ['unseen', AWAY_WITH_AN_EDIT],
  'forgets-what-only-it-had': ['unseen', AWAY_WITH_AN_EDIT],
  'commit-without-marks': [
    'unmarked',
    `
    seed 1
    devices ann bob
    bob mkdir x
    bob mkdir y
    wait 1500
    demote ann
    ann rmdir x
    ann rmdir y
    bob rename y x/d
    ann create x
    wait 900000
    `,
  ],
  'lying-fsync': ['unequal', POWER_CUT],
  'no-fsync-of-files': ['strange', POWER_CUT],
  'no-fsync-of-directories': [
    'unseen',
    `
    seed 1
    devices ann bob
    ann mkdir d
    ann create d/f
    ann create g
    wait 2000
    ann edit g
    wait 2000
    power bob 1
    `,
  ],
  'placed-over-what-stands-there': [
    'lost',
    `
    seed 1
    devices ann bob
    ann create f 70000
    wait 240
    bob create f
    `,
  ],
  'unlisted-read-as-deleted': [
    'unseen',
    `
    seed 1
    devices ann bob
    ann mkdir d
    ann create d/x
    wait 3000
    deny ann d
    kill ann
    start ann
    wait 5000
    allow ann
    `,
  ],
  'removed-not-moved-aside': ['lost', EDITED_IN_THE_MIDDLE(2)],
  'trash-emptied-by-the-clock': [
    'emptied',
    `
    seed 1
    devices ann bob
    ann create f
    wait 9000
    bob edit f
    wait 9000
    kill ann
    start ann
    wait 500
    clock 400
    kill ann
    start ann
    wait 500
    `,
  ],
  'content-by-mtime': [
    'unequal',
    `
    seed 1
    devices ann bob:coarse
    bob create f
    wait 200
    bob edit f
    wait 9000
    `,
  ],
  'overflow-of-events-ignored': [
    'unequal',
    `
    seed 5
    devices ann bob
    ann create f
    wait 9000
    bob edit f
    `,
  ],
  'row-before-the-rename': ['unseen', POWER_CUT],
  'rename-without-intent': ['stale', DIES_IN_THE_MIDDLE],
  'journal-after-the-effect': [
    'unasked',
    `
    seed 1
    devices ann bob
    bob create f
    wait 9000
    bob edit f
    trap ann 4
    wait 9000
    start ann
    `,
  ],
  'overwrite-without-re-stat': ['unseen', EDITED_IN_THE_MIDDLE(0)],
  'dedupe-by-size': ['unequal', `${ONE_FILE}\nann edit f`],
  'acknowledged-before-it-is-stored': [
    'empty',
    `seed 1\ndevices ann\nann create f\n${'wait 10\n'.repeat(30)}`,
  ],
  'hub-publishes-what-it-lacks': ['empty', ONE_FILE],
  'received-file-sent-as-own': ['talkative', ONE_FILE],
  'winner-by-wall-clock': ['unmarked', `${ONE_FILE}\nann edit f\nbob edit f`],
  'conflict-copies-as-real-nodes': [
    'unasked',
    `
    seed 1
    devices ann bob cyd
    ann create f
    wait 9000
    ann edit f
    bob edit f
    wait 9000
    `,
  ],
  'chunk-not-verified': [
    'strange',
    `
    seed 1
    devices ann bob
    ann create f
    wait 429
    kill bob
    ann save f
    wait 2000
    crash hub 1
    wait 3000
    store lies
    start bob
    wait 2000
    `,
  ],
  'refusals-unheeded': ['unseen', `${ONE_FILE}\nrefuse 100\nann edit f\nwait 5000`],
}

test('every planted mistake has something that notices it', () => {
  expect(PLANTED_BUGS.map(({ name }) => name).sort()).toEqual(Object.keys(NOTICED_BY).sort())
})

describe('a planted mistake is noticed, and without it there is nothing to notice:', () => {
  test.each(PLANTED_BUGS)('$name', async (planted) => {
    const [rule, script] = NOTICED_BY[planted.name]!
    const error = await replay(script, { planted, patienceMs: PATIENCE_MS }).catch(
      (thrown: unknown) => thrown,
    )
    expect(error).toBeInstanceOf(SimulationError)
    expect((error as SimulationError).rule).toBe(rule)
    await replay(script)
  })
})
