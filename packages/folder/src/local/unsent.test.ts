import { expect, test } from 'vitest'
import { DirRef } from './dir-ref.js'
import type { Item } from './item.js'
import { Unsent } from './unsent.js'

const made = (path: string): Item => {
  const name = path.slice(path.lastIndexOf('/') + 1)
  return { type: 'create', path, dir: DirRef.root('1'), name, entryName: name, stat: {} as never }
}
const pathsOf = (unsent: Unsent): string[] => {
  unsent.settle()
  return unsent.list().map(({ path }) => path)
}

test('[AC2] what is looked at again is noted anew, with all below what was noted there', () => {
  const unsent = new Unsent()
  for (const path of ['a', 'a/b/c', 'd/e', 'f']) unsent.note(made(path))
  unsent.scanned('d')
  expect(pathsOf(unsent)).toEqual(['a', 'a/b/c', 'f'])
  unsent.scanned('')
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
  unsent.scanned('')
  unsent.restart()
  expect([unsent.size, unsent.problems().length]).toEqual([2, 2])
  unsent.note(made('a'))
  expect(pathsOf(unsent)).toEqual(['a'])
})
