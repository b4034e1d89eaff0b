import { expect, test } from 'vitest'
import type { DirectoryScan } from '../scan/scan-directory.js'
import { DirRef } from './dir-ref.js'
import type { Item } from './item.js'
import { Unsent } from './unsent.js'

function listed(unseen: readonly string[]): DirectoryScan {
  const names = { found: new Map(), hidden: new Set(unseen), unseen: new Set(unseen) }
  return { state: 'listed', ...names, problems: [], rulesChanged: false }
}
const made = (path: string): Item => {
  const name = path.slice(path.lastIndexOf('/') + 1)
  return { type: 'create', path, dir: DirRef.root('1'), name, entryName: name, stat: {} as never }
}
const LISTED = listed([])
const pathsOf = (unsent: Unsent): string[] => {
  unsent.settle()
  return unsent.list().map(({ path }) => path)
}

test('[AC2] what is looked at again is noted anew, with all below what was noted there', () => {
  const unsent = new Unsent()
  for (const path of ['a', 'a/b/c', 'd/e', 'f']) unsent.note(made(path))
  unsent.scanned('d', LISTED)
  expect(pathsOf(unsent)).toEqual(['a', 'a/b/c', 'f'])
  unsent.scanned('', LISTED)
  expect(pathsOf(unsent)).toEqual([])
})

test('[AC2] of a directory with all that is in it only the directory is listed, whatever else is named like it', () => {
  const unsent = new Unsent()
  for (const path of ['a', 'a b', 'a/x', 'a/x/y', 'b/z']) unsent.note(made(path))
  unsent.settle()
  expect(unsent.problems().map(({ path }) => path)).toEqual(['a', 'a b', 'b/z'])
  expect(unsent.size).toBe(5)
})

test('[AC2] while a directory is looked at again, what was found in it counts', () => {
  const unsent = new Unsent()
  for (const path of ['a', 'b/c']) unsent.note(made(path))
  expect(pathsOf(unsent)).toEqual(['a', 'b/c'])
  unsent.scanned('', LISTED)
  unsent.restart()
  expect([unsent.size, unsent.problems().length]).toEqual([2, 2])
  unsent.note(made('a'))
  expect(pathsOf(unsent)).toEqual(['a'])
})

test.each([true, false])(
  '[AC2] what the disk does not show is as it was noted, as long as nobody knows better (everything: %s)',
  (isFull) => {
    const unsent = new Unsent()
    for (const path of ['a', 'd/e', 'd/e f', 'd/e/f', 'd/g']) unsent.note(made(path))
    const look = (directory: string, scan: DirectoryScan): void => {
      if (isFull) unsent.restart()
      if (isFull) unsent.scanned('', listed(['a']))
      unsent.scanned(directory, scan)
    }
    look('d', { state: 'unknown', problem: {} as never })
    expect(pathsOf(unsent)).toEqual(['a', 'd/e', 'd/e f', 'd/e/f', 'd/g'])
    look('d', listed(['e']))
    expect(pathsOf(unsent)).toEqual(['a', 'd/e', 'd/e/f'])
    look('d', LISTED)
    expect(pathsOf(unsent)).toEqual(['a'])
    look('d', { state: 'unknown', problem: {} as never })
    expect(pathsOf(unsent)).toEqual(['a'])
  },
)
