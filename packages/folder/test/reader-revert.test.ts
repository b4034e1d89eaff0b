import * as fs from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { onDisk, temporaryDirectory, writerAndReader } from './fixture.js'

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
