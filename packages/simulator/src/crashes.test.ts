import { describe, expect, test } from 'vitest'
import { DEATHS } from './life.js'
import { replay } from './simulate.js'

/** Stands for an act that sets a trap. */
const TRAP = '(trap)'

/**
 * What people do while a program dies at one of its calls that change a disk, write to a database, or are
 * about a blob store. What stands above the trap is done in peace.
 */
const CRASH_SCRIPTS: Readonly<Record<string, string>> = {
  'a new tree comes': `
    devices ann bob
    wait 2000
    (trap)
    bob tree d
    wait 4000
  `,
  'a file is edited in place while its next version comes': `
    devices ann bob
    ann create x.txt
    wait 3000
    (trap)
    bob edit x.txt
    wait 160
    ann edit x.txt
    wait 4000
  `,
  'a directory is moved elsewhere, and a file in it is edited': `
    devices ann bob
    ann tree d
    wait 4000
    (trap)
    bob rename d e
    bob edit e/a/x.txt
    wait 400
    ann edit d/a/b/y.txt
    wait 4000
  `,
  'both edit a file, each without the other': `
    devices ann bob
    ann create x.txt
    wait 3000
    away bob
    (trap)
    ann edit x.txt
    bob edit x.txt
    wait 1500
    return bob
    wait 6000
  `,
  'a directory is deleted in which others make a file': `
    devices ann bob
    ann tree d
    wait 4000
    away ann
    (trap)
    ann create d/a/c
    bob rmdir d
    wait 2000
    return ann
    wait 6000
  `,
  'files are saved by rename, in two ways': `
    devices ann bob
    ann create x.txt
    ann create y.txt
    wait 3000
    (trap)
    bob save x.txt
    bob savebeside y.txt
    wait 300
    ann save y.txt
    wait 4000
  `,
  'a large file comes, and is edited': `
    devices ann bob
    wait 2000
    (trap)
    bob create x.txt 400000
    wait 1500
    bob append x.txt 70000
    wait 4000
  `,
  'names change hands': `
    devices ann bob
    ann create x.txt
    ann create y.txt
    ann mkdir a
    ann create a/b
    wait 3000
    (trap)
    bob swap x.txt y.txt
    bob case a/b
    bob wrap x.txt
    bob rename a x.txt/c
    wait 4000
  `,
  'a conflict copy is chosen, and links and a mode come': `
    devices ann bob
    ann create x.txt
    ann create y.txt
    wait 3000
    away bob
    ann edit x.txt
    bob edit x.txt
    wait 1500
    return bob
    wait 6000
    (trap)
    bob replace x.txt#1 x.txt
    bob chmod y.txt 755
    bob link y.txt k
    bob symlink s y.txt
    wait 4000
  `,
  'two files change places, and then have one large content': `
    devices ann bob
    ann create x.txt
    ann create y.txt
    wait 3000
    away bob
    ann swap x.txt y.txt
    wait 1000
    ann edit x.txt 70000
    wait 1000
    ann link x.txt k
    ann replace k y.txt
    wait 1000
    (trap)
    return bob
    wait 6000
  `,
  'a directory of many names is replaced by a file while others move it': `
    devices ann bob
    ann tree d
    ann create d/c 70000
    wait 4000
    (trap)
    bob rename d/c e
    bob rmdir d
    bob create d
    ann rename d g
    wait 5000
  `,
  'one that was away for long begins anew': `
    devices ann bob
    ann mkdir d
    ann create d/a
    ann create e
    ann create x.txt
    ann create y.txt
    wait 5000
    kill bob
    ann rmdir d
    ann remove e
    ann edit x.txt
    bob create d/c
    bob edit e
    bob edit x.txt
    bob edit y.txt
    wait 7000000
    (trap)
    start bob
    wait 4000
  `,
}

/** Each way to die at each call, and a second death in each recovery: minutes. */
const IS_THOROUGH = process.env.TIDEMARK_CRASHES === 'all'
const TIMEOUT_MS = 20 * 60_000

/** Whose calls are counted, and how one may die at the call after so many others. */
interface Victim {
  readonly name: string
  ways(calls: number): readonly string[]
}

/** On each disk each call that changes it: killed before it, and the power goes right after it. */
const onDisk = (name: string): Victim => ({ name, ways: () => ['before', 'bare'] })
/** Two of the four ways at each write. */
const inDatabase = (name: string): Victim => ({
  name,
  ways: (calls) => DEATHS.filter((_, i) => (i + calls) % 2 === 0),
})
/** A store has a blob or has it not: nothing of it goes with the power. */
const atStore = (name: string): Victim => ({ name, ways: () => ['before', 'after'] })

const VICTIMS: readonly Victim[] = [
  ...['ann', 'bob'].map(onDisk),
  ...['ann db', 'bob db', 'hub'].map(inDatabase),
  ...['ann store', 'bob store', 'hub store'].map(atStore),
]
/** What people do before a dead program starts again. */
const MEANWHILE = `
  ann create z
  ann edit x.txt
  ann rename d f
  bob edit x.txt
  wait 700
  bob rename d g
  bob rename e/a h
`
const START = `
  start ann
  start bob
  wait 2000
`

/** @returns how many died. */
async function deathsIn(script: string): Promise<number> {
  const { trace } = await replay(script).catch((cause: unknown) => {
    throw new Error(`${String(cause)}, in${script}`, { cause })
  })
  return trace.filter((line) => / dies /.test(line)).length
}

/** At call 0, 1, 2, … in some of the ways, until there is no such call. @returns how many there are. */
async function atEachCall(
  { ways }: Victim,
  run: (calls: number, death: string) => Promise<boolean>,
): Promise<number> {
  for (let calls = 0; ; calls++) {
    let isThere = false
    for (const death of IS_THOROUGH ? DEATHS : ways(calls)) isThere = (await run(calls, death)) || isThere
    if (!isThere) return calls
  }
}

describe.each(Object.entries(CRASH_SCRIPTS))(
  '[CR18] nothing is lost or torn, and all becomes equal, when %s and',
  (_, script) => {
    test(
      'a program dies at any one of its calls',
      async () => {
        let calls = 0
        for (const victim of VICTIMS)
          calls += await atEachCall(victim, async (calls, death) => {
            const meanwhile = calls % 3 === 2 ? MEANWHILE : ''
            const trapped = script.replace(TRAP, `trap ${victim.name} ${calls} ${death}`)
            return (await deathsIn(trapped + meanwhile + START)) > 0
          })
        // Else nothing was tried.
        expect(calls).toBeGreaterThan(20)
      },
      TIMEOUT_MS,
    )

    if (IS_THOROUGH)
      test.each(VICTIMS)(
        'the one after it dies as well, at any one of the calls of $name',
        async (victim) => {
          const dying = (calls: number): string => script.replace(TRAP, `trap ${victim.name} ${calls} after`)
          for (let calls = 0; (await deathsIn(dying(calls) + START)) > 0; calls++)
            await atEachCall(victim, async (next, death) => {
              const again = `trap ${victim.name} ${next} ${death}`
              return (await deathsIn(dying(calls) + again + START + START)) > 1
            })
        },
        TIMEOUT_MS,
      )
  },
)
