import * as fs from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { nodeFileSystem } from '../src/adapters/node-file-system.js'
import { type Bound, keeping, onDisk, temporaryDirectory, writerAndReader } from './fixture.js'

test('[AC2] revert takes nothing that a symlink in the place of a directory leads to', async () => {
  const { writer, reader } = await writerAndReader()
  fs.mkdirSync(writer.path('d'))
  fs.writeFileSync(writer.path('d/f'), 'text')
  await writer.binding.settled()
  await expect.poll(() => onDisk(reader.directory), { timeout: 20_000 }).toEqual(onDisk(writer.directory))
  fs.writeFileSync(reader.path('d/f'), 'edited by the reader')
  await expect.poll(() => reader.binding.status.state, { timeout: 10_000 }).toBe('held')
  const outside = temporaryDirectory()
  fs.writeFileSync(join(outside, 'f'), 'of somebody else')
  fs.renameSync(reader.path('d'), join(outside, 'was-d'))
  fs.symlinkSync(outside, reader.path('d'))
  await reader.binding.revert()
  expect(fs.readFileSync(join(outside, 'f'), 'utf8')).toBe('of somebody else')
})

test('[AC2] of what a reader throws away the rest goes where one file cannot be moved away', async () => {
  const { files, allow } = keeping('2')
  const { writer, reader } = await writerAndReader({ files })
  for (let i = 0; i < 4; i++) fs.writeFileSync(writer.path(`${i}`), `right ${i}`)
  await writer.binding.settled()
  const right = onDisk(writer.directory)
  await expect.poll(() => onDisk(reader.directory), { timeout: 20_000 }).toEqual(right)
  for (let i = 0; i < 4; i++) fs.writeFileSync(reader.path(`${i}`), `wrong ${i}`)
  await expect.poll(() => reader.binding.status.held?.entries, { timeout: 20_000 }).toBe(4)
  const problems = await reader.binding.revert()
  expect(problems.map(({ path, cause }) => [path, cause])).toEqual([['2', 'cannot-revert']])
  await expect.poll(() => onDisk(reader.directory), { timeout: 20_000 }).toEqual({ ...right, 2: 'wrong 2' })
  await expect.poll(() => reader.binding.status.state, { timeout: 20_000 }).toBe('held')
  expect(reader.binding.status.problems.map(({ cause }) => cause).sort()).toEqual([
    'cannot-revert',
    'read-only',
  ])
  allow()
  expect(await reader.binding.revert()).toEqual([])
  await expect.poll(() => onDisk(reader.directory), { timeout: 20_000 }).toEqual(right)
  await expect.poll(() => reader.binding.status.problems, { timeout: 20_000 }).toEqual([])
})

test.each([
  ['readdir', '/d'],
  ['lstat', '/d/f'],
] as const)(
  '[AC2] what a reader changed counts as long as the disk does not show it, and can be thrown away: %s',
  async (call, end) => {
    let isShown = true
    const files: typeof nodeFileSystem = {
      ...nodeFileSystem,
      [call](path: string) {
        if (!isShown && path.endsWith(end)) throw Object.assign(new Error('EIO'), { code: 'EIO' })
        return nodeFileSystem[call](path)
      },
    }
    const { writer, reader } = await writerAndReader({ files })
    fs.mkdirSync(writer.path('d'))
    fs.writeFileSync(writer.path('d/f'), 'text')
    await writer.binding.settled()
    const right = onDisk(writer.directory)
    await expect.poll(() => onDisk(reader.directory), { timeout: 20_000 }).toEqual(right)
    fs.writeFileSync(reader.path('d/f'), 'edited by the reader')
    const held = () => reader.binding.status.held?.entries
    await expect.poll(held, { timeout: 10_000 }).toBe(1)
    const causes = () => reader.binding.status.problems.map(({ cause }) => cause)
    isShown = false
    reader.binding.rescan()
    await expect.poll(causes, { timeout: 10_000 }).toContain('unreadable')
    expect([held(), causes()]).toEqual([1, ['unreadable', 'read-only']])
    if (call === 'lstat') {
      const problems = await reader.binding.revert()
      expect(problems.map(({ path, cause }) => [path, cause])).toEqual([['d/f', 'cannot-revert']])
    }
    isShown = true
    await expect.poll(causes, { timeout: 10_000 }).not.toContain('unreadable')
    await expect.poll(held, { timeout: 10_000 }).toBe(1)
    expect(await reader.binding.revert()).toEqual([])
    await expect.poll(() => onDisk(reader.directory), { timeout: 20_000 }).toEqual(right)
  },
)

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

/** Changes that a reader may not send, and that are thrown away: nothing of them is left. */
async function changeAndRevert(
  make: (path: Bound['path']) => void,
  change: (path: Bound['path']) => unknown,
) {
  const { writer, reader } = await writerAndReader()
  make(writer.path)
  await writer.binding.settled()
  const right = onDisk(writer.directory)
  await expect.poll(() => onDisk(reader.directory), { timeout: 20_000 }).toEqual(right)
  await change(reader.path)
  // A file that is missing is waited for.
  await expect.poll(() => reader.binding.status.state, { timeout: 20_000 }).toBe('held')
  expect(await reader.binding.revert()).toEqual([])
  await expect.poll(() => onDisk(reader.directory), { timeout: 20_000 }).toEqual(right)
  await reader.binding.settled({ signal: AbortSignal.timeout(20_000) })
  expect(onDisk(reader.directory)).toEqual(right)
  expect(reader.binding.status).toMatchObject({ state: 'idle', problems: [] })
}

test('[AC2] a reader puts a file into a directory of its name, and reverts', () =>
  changeAndRevert(
    (path) => fs.writeFileSync(path('a'), 'text'),
    (path) => {
      fs.renameSync(path('a'), path('between.tmp'))
      fs.mkdirSync(path('a'))
      fs.renameSync(path('between.tmp'), path('a/inside'))
    },
  ))

test('[AC2] a reader makes a file in the place of a directory, and reverts', () =>
  changeAndRevert(
    (path) => {
      fs.mkdirSync(path('d'))
      fs.writeFileSync(path('d/x'), 'text')
    },
    (path) => {
      fs.rmSync(path('d'), { recursive: true })
      fs.writeFileSync(path('d'), 'a file')
    },
  ))

const fileAndDirectory = (path: Bound['path']): void => {
  fs.mkdirSync(path('d'))
  fs.writeFileSync(path('g'), 'text')
}

test('[AC2] a reader moves a file to another directory, its old one is looked at again, and it reverts', () =>
  changeAndRevert(fileAndDirectory, async (path) => {
    fs.renameSync(path('g'), path('d/g'))
    await pause(2_000)
    fs.writeFileSync(path('other'), '')
    fs.rmSync(path('other'))
    await pause(3_000)
  }))

test('[AC2] a reader removes what it had moved, and reverts', () =>
  changeAndRevert(fileAndDirectory, async (path) => {
    fs.renameSync(path('g'), path('d/g'))
    await pause(2_000)
    fs.rmSync(path('d/g'))
    await pause(1_000)
  }))
