import { expect, test } from 'vitest'
import { replay } from './simulate.js'

/** Who may only read changes something, and throws it away later. */
async function revertedAfter(
  script: string,
): Promise<{ readonly paths: string[]; readonly outcome: string }> {
  const { trace } = await replay(`
    devices ann bob
    bob tree d
    bob create g
    wait 8000
    demote ann
    wait 2000
    ${script}
    revert ann
    wait 20000
    readmit ann
    wait 20000`)
  const end = JSON.parse(trace.at(-1)!.replace(/^.*in the end: /, '')) as Record<string, string>
  const outcome = trace.find((line) => line.includes('revert ann: '))!.replace(/^.*: /, '')
  return { paths: Object.keys(end), outcome }
}

const TREE = ['d', 'd/a', 'd/a/b', 'd/a/b/y.txt', 'd/a/x.txt', 'd/x.txt', 'g']

// It was missing after that, and deleted for everybody.
test('[AC2] a file that was put into a directory of its name is back', async () => {
  const { paths, outcome } = await revertedAfter('ann wrap g\nwait 8000')
  expect([outcome, paths]).toEqual(['done', TREE])
})

// The second one was everybody's after that.
test('[AC2] a file that was moved, and edited by others, is back, and there is one of it', async () => {
  const { paths, outcome } = await revertedAfter('ann rename g d/g\nwait 8000\nbob edit g\nwait 8000')
  expect([outcome, paths]).toEqual(['done', TREE])
})

// The move of others is seen as a deletion and a new file.
test('[AC2] of what others do too nothing is held', async () => {
  const { paths, outcome } = await revertedAfter(`
    ann remove d/x.txt
    ann rename g d/g
    ann mkdir m
    wait 8000
    bob remove d/x.txt
    bob rename g d/g
    bob mkdir m
    wait 60000`)
  expect([outcome, paths]).toEqual(['refused', ['d', 'd/a', 'd/a/b', 'd/a/b/y.txt', 'd/a/x.txt', 'd/g', 'm']])
})

test('[AC2] what went into a new directory a moment ago is back where it was once that is thrown away', async () => {
  await replay(`
    seed 58
    devices bob cyd
    cyd create b
    wait 309
    cyd wrap b
    cyd case b
    demote cyd
    wait 306
    revert cyd
  `)
})
