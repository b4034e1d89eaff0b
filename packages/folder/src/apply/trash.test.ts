import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { nodeFileSystem } from '../adapters/node-file-system.js'
import { pruneTrash, Trash } from './trash.js'

const DAY_MS = 24 * 3_600_000
let directory: string
beforeEach(() => {
  directory = fs.mkdtempSync(join(tmpdir(), 'tidemark-trash-'))
})
afterEach(() => fs.rmSync(directory, { recursive: true, force: true }))

function group(name: string, bytes: number): void {
  fs.mkdirSync(join(directory, name, 'd'), { recursive: true })
  fs.writeFileSync(join(directory, name, 'd', 'f'), 'x'.repeat(bytes))
  fs.symlinkSync('/', join(directory, name, 'link'))
}
const files = (totalBytes: number) => ({ ...nodeFileSystem, room: () => ({ freeBytes: 0, totalBytes }) })

/** A disk that gives each file just the blocks that its bytes need, whatever this machine's does. */
const filesOfBytes = (totalBytes: number) => ({
  ...files(totalBytes),
  lstat(path: string) {
    const stat = nodeFileSystem.lstat(path)
    return stat && { ...stat, allocatedBytes: stat.size }
  },
})

test('each thing keeps its path; a second one with that path gets a number, a second plan its own group', () => {
  const trash = new Trash(nodeFileSystem, directory, () => 5)
  const places = ['d/f', 'd/f', 'g'].map((path) => trash.placeFor(path))
  trash.closeGroup()
  places.push(trash.placeFor('g'))
  expect(places.map((path) => path.slice(directory.length))).toEqual([
    '/5-0/d/f',
    '/5-0/d/f.1',
    '/5-0/g',
    '/5-1/g',
  ])
})

const groups = (): string[] => fs.readdirSync(directory).filter((name) => name !== 'ages.json')

test('what was here for more than thirty days goes, whatever its size', () => {
  group('1000-0', 1)
  for (let day = 0; day <= 30; day++) {
    if (day === 2) group(`${1000 + 2 * DAY_MS}-0`, 1)
    pruneTrash(files(1e12), directory, 1000 + day * DAY_MS)
    expect(groups()).toContain('1000-0')
  }
  pruneTrash(files(1e12), directory, 1000 + 31 * DAY_MS)
  expect(groups()).toEqual([`${1000 + 2 * DAY_MS}-0`])
})

test('a clock that jumps ten years, there and back, empties no trash', () => {
  group('1000-0', 1)
  for (const days of [0, 3650, -3650, 3650, 3651]) pruneTrash(files(1e12), directory, 1000 + days * DAY_MS)
  expect(groups()).toEqual(['1000-0'])
})

test('an age that is lost begins anew, and what comes under a name that went is new', () => {
  group('1000-0', 1)
  for (let day = 0; day <= 30; day++) pruneTrash(files(1e12), directory, day * DAY_MS)
  fs.writeFileSync(join(directory, 'ages.json'), '{"lookedMs":')
  for (let day = 31; day <= 61; day++) pruneTrash(files(1e12), directory, day * DAY_MS)
  expect(groups()).toEqual(['1000-0'])
  pruneTrash(files(1e12), directory, 62 * DAY_MS)
  expect(groups()).toEqual([])
  group('1000-0', 1)
  pruneTrash(files(1e12), directory, 63 * DAY_MS)
  expect(groups()).toEqual(['1000-0'])
})

test('above a tenth of the volume the oldest goes first', () => {
  for (const name of ['1000-0', '999-0', '1000-1']) group(name, 400)
  fs.writeFileSync(join(directory, 'not-ours'), '')
  pruneTrash(filesOfBytes(9_000), directory, 2_000)
  expect(groups().sort()).toEqual(['1000-0', '1000-1', 'not-ours'])
})

test('a group that alone is above a tenth of the volume goes, and none for its sake', () => {
  for (const [name, bytes] of [
    ['999-0', 300],
    ['1000-0', 1_000],
    ['1000-1', 300],
  ] as const)
    group(name, bytes)
  pruneTrash(filesOfBytes(9_000), directory, 2_000)
  expect(groups().sort()).toEqual(['1000-1', '999-0'])
})

test('a file with holes counts as what it takes of the volume', () => {
  group('999-0', 1)
  fs.mkdirSync(join(directory, '1000-0'))
  fs.writeFileSync(join(directory, '1000-0', 'image'), '')
  fs.truncateSync(join(directory, '1000-0', 'image'), 100_000_000)
  pruneTrash(files(500_000_000), directory, 2_000)
  expect(groups().sort()).toEqual(['1000-0', '999-0'])
})

test('a file of several names counts once, in the newest group that has it', () => {
  for (const name of ['998-0', '999-0', '1000-0']) group(name, 400)
  for (const [name, link] of [
    ['999-0', 'g'],
    ['999-0', 'h'],
    ['1000-0', 'g'],
  ] as const)
    fs.linkSync(join(directory, '998-0', 'd', 'f'), join(directory, name, link))
  pruneTrash(filesOfBytes(12_100), directory, 2_000)
  expect(groups().sort(), 'three files are just within').toEqual(['1000-0', '998-0', '999-0'])
  pruneTrash(filesOfBytes(11_000), directory, 2_000)
  expect(groups().sort(), 'the oldest alone would free nothing').toEqual(['1000-0'])
})

test('links in the trash are removed, not followed', () => {
  group('1-0', 1)
  const outside = join(directory, 'outside')
  fs.mkdirSync(outside)
  fs.writeFileSync(join(outside, 'precious'), 'p')
  fs.symlinkSync(outside, join(directory, '1-0', 'to-outside'))
  pruneTrash(files(1), directory, 2)
  expect(groups()).toEqual(['outside'])
  expect(fs.readdirSync(outside)).toEqual(['precious'])
})
