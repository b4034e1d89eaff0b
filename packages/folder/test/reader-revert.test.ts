import * as fs from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { keeping, onDisk, temporaryDirectory, writerAndReader } from './fixture.js'

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
