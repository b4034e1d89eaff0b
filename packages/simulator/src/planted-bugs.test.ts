import { expect, test } from 'vitest'
import { PLANTED_BUGS } from './planted-bugs.js'
import { replay, simulate } from './simulate.js'
import { SimulationError } from './simulation-error.js'

const STEPS = 80

/** A seed, or a script, that must notice the mistake: within five seeds. */
const NOTICED_BY: Readonly<Record<string, number | string>> = {
  'fsync that lies': 3,
  'synced row before the rename is durable': 3,
  'a file is placed over what stands there': `
    seed 1
    devices ann bob
    ann create f 70000
    wait 240
    bob create f
  `,
  'unlisted directory read as deleted': `
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
  'chunk not verified on read': `
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
}

test('every planted mistake has something that notices it', () => {
  expect(PLANTED_BUGS.map(({ name }) => name).sort()).toEqual(Object.keys(NOTICED_BY).sort())
})

test.each(PLANTED_BUGS)('$name: noticed', async (planted) => {
  const by = NOTICED_BY[planted.name]!
  const isScript = typeof by === 'string'
  const run = isScript ? replay(by, { planted }) : simulate({ seed: by, steps: STEPS, planted })
  await expect(run).rejects.toBeInstanceOf(SimulationError)
  // Without the mistake there is nothing to notice.
  if (isScript) await replay(by)
})
