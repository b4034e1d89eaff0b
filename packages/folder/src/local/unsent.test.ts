import { expect, test } from 'vitest'
import type { SyncedRow } from '../rows.js'
import type { DirectoryScan } from '../scan/scan-directory.js'
import { DirRef } from './dir-ref.js'
import type { Item } from './item.js'
import { Unsent } from './unsent.js'

const nameOf = (path: string): string => path.slice(path.lastIndexOf('/') + 1)
const above = (path: string): string => path.slice(0, Math.max(0, path.lastIndexOf('/')))
/** Keys of entries are their paths, but for the bound directory. */
const keyOf = (path: string): string => (path === '' ? DirRef.root('1').key! : path)
const row = (path: string, kind = 'file'): SyncedRow =>
  ({ key: path, dir: keyOf(above(path)), localName: nameOf(path), entry: { kind, node: path } }) as never
const dirRef = (path: string): DirRef =>
  path === '' ? DirRef.root('1') : DirRef.ofRow(row(path, 'dir'), path, '2')

const made = (path: string): Item => {
  const name = nameOf(path)
  return { type: 'create', path, dir: dirRef(above(path)), name, entryName: name, stat: {} as never }
}
const edited = (path: string): Item => ({ type: 'verify', path, row: row(path), stat: {} as never })
const deleted = (path: string, top = path): Item => {
  return {
    type: 'delete',
    path,
    row: row(path),
    top: { path: top, row: row(top) },
    isDisplaced: true,
    isIgnored: false,
  }
}
const moved = (from: string, path: string, kind = 'file'): Item => {
  const name = nameOf(path)
  const stat = { kind } as never
  return { type: 'move', path, row: row(from, kind), dir: dirRef(above(path)), name, entryName: name, stat }
}
const noted = (unsent: Unsent): string[] => {
  unsent.settle()
  return unsent.list().map(({ type, path }) => `${type} ${path}`)
}
const ROOT_KEY = keyOf('')

function listed(unseen: readonly string[]): DirectoryScan {
  const names = { found: new Map(), hidden: new Set(unseen), unseen: new Set(unseen) }
  return { state: 'listed', ...names, problems: [], rulesChanged: false }
}
const LISTED = listed([])

test('[AC2] what is looked at again is noted anew, with all in what came there', () => {
  const unsent = new Unsent()
  for (const item of [made('a'), made('d/e'), moved('m', 'd/m', 'dir'), edited('m/x')]) unsent.note(item)
  unsent.scanned('d', 'd', LISTED)
  expect(noted(unsent)).toEqual(['create a'])
  unsent.scanned(ROOT_KEY, '', LISTED)
  expect(noted(unsent)).toEqual([])
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
  expect(noted(unsent)).toEqual(['create a', 'create b/c'])
  unsent.scanned(ROOT_KEY, '', LISTED)
  unsent.restart()
  expect([unsent.size, unsent.problems().length]).toEqual([2, 2])
  unsent.note(made('a'))
  expect(noted(unsent)).toEqual(['create a'])
})

test('[AC2] what is gone, and what has its place, are two changes', () => {
  const unsent = new Unsent()
  for (const item of [deleted('a/x', 'a'), deleted('a'), made('a')]) unsent.note(item)
  expect(noted(unsent).sort()).toEqual(['create a', 'delete a', 'delete a/x'])
  unsent.scanned(ROOT_KEY, '', LISTED)
  expect(noted(unsent)).toEqual([])
})

test('[AC2] what was changed or made in a directory is gone with it', () => {
  const unsent = new Unsent()
  for (const item of [edited('a/x'), made('a/new'), deleted('a/x', 'a'), deleted('a')]) unsent.note(item)
  expect(noted(unsent)).toEqual(['delete a', 'delete a/x'])
})

test('[AC2] what went elsewhere is missing at its old place only once it is not found there', () => {
  const unsent = new Unsent()
  unsent.note(moved('g', 'd/g'))
  unsent.note(deleted('g'))
  expect([noted(unsent), unsent.movedTo('g'), unsent.takeLost()]).toEqual([['move d/g'], 'd', []])
  unsent.scanned('d', 'd', LISTED)
  expect([unsent.movedTo('g'), unsent.takeLost(), unsent.takeLost()]).toEqual([undefined, [row('g')], []])
  unsent.note(deleted('g'))
  expect(noted(unsent)).toEqual(['delete g'])
})

test('[AC2] a move that is found again is not lost', () => {
  const unsent = new Unsent()
  unsent.note(moved('g', 'd/g'))
  unsent.scanned('d', 'd', LISTED)
  unsent.note(moved('g', 'd/h'))
  expect([unsent.takeLost(), noted(unsent)]).toEqual([[], ['move d/h']])
})

test.each([true, false])(
  '[AC2] what the disk does not show is as it was noted, as long as nobody knows better (everything: %s)',
  (isFull) => {
    const unsent = new Unsent()
    for (const item of [made('a'), edited('d/e'), deleted('d/gone'), made('d/g')]) unsent.note(item)
    const look = (scan: DirectoryScan): void => {
      if (isFull) unsent.restart()
      if (isFull) unsent.scanned(ROOT_KEY, '', listed(['a']))
      unsent.scanned('d', 'd', scan)
    }
    look({ state: 'unknown', problem: {} as never })
    expect(noted(unsent)).toEqual(['create a', 'verify d/e', 'create d/g', 'delete d/gone'])
    look(listed(['e', 'gone']))
    expect(noted(unsent)).toEqual(['create a', 'verify d/e', 'delete d/gone'])
    look(LISTED)
    expect(noted(unsent)).toEqual(['create a'])
    look({ state: 'unknown', problem: {} as never })
    expect(noted(unsent)).toEqual(['create a'])
  },
)
