import { describe, expect, test } from 'vitest'
import { DEATHS } from './life.js'
import { replay } from './simulate.js'

/** Stands for an act that sets a trap. */
const TRAP = '(trap)'

/**
 * What people do while a program dies at one of its writes to a disk or a database. What stands above the
 * trap is done in peace.
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
}

/** Each way to die at each write, and a second death in each recovery: minutes. Else two of four ways. */
const IS_THOROUGH = process.env.TIDEMARK_CRASHES === 'all'
const TIMEOUT_MS = 20 * 60_000
/** Whose writes are counted: those to a disk, or to a database. */
const VICTIMS = ['ann', 'bob', 'ann db', 'bob db', 'hub']
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
  const { trace } = await replay(script)
  return trace.filter((line) => / dies /.test(line)).length
}

/** At write 0, 1, 2, … in some of the ways, until there is no such write. @returns how many there are. */
async function atEachWrite(run: (write: number, death: string) => Promise<boolean>): Promise<number> {
  for (let write = 0; ; write++) {
    let isThere = false
    for (const [i, death] of DEATHS.entries())
      if (IS_THOROUGH || (i + write) % 2 === 0) isThere = (await run(write, death)) || isThere
    if (!isThere) return write
  }
}

describe.each(Object.entries(CRASH_SCRIPTS))(
  '[CR18] nothing is lost or torn, and all becomes equal, when %s and',
  (_, script) => {
    test(
      'a program dies at any one of its writes',
      async () => {
        let writes = 0
        for (const victim of VICTIMS)
          writes += await atEachWrite(async (write, death) => {
            const meanwhile = write % 3 === 2 ? MEANWHILE : ''
            const trapped = script.replace(TRAP, `trap ${victim} ${write} ${death}`)
            return (await deathsIn(trapped + meanwhile + START)) > 0
          })
        // Else nothing was tried.
        expect(writes).toBeGreaterThan(15)
      },
      TIMEOUT_MS,
    )

    if (IS_THOROUGH)
      test(
        'the one after it dies as well, at any one of its writes',
        async () => {
          for (const victim of VICTIMS) {
            const dying = (write: number): string => script.replace(TRAP, `trap ${victim} ${write} after`)
            for (let write = 0; (await deathsIn(dying(write) + START)) > 0; write++)
              await atEachWrite(async (next, death) => {
                const again = `trap ${victim} ${next} ${death}`
                return (await deathsIn(dying(write) + again + START + START)) > 1
              })
          }
        },
        TIMEOUT_MS,
      )
  },
)
