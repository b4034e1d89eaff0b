import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test, vi } from 'vitest'
import { nodeFileSystem } from './node-file-system.js'

let isFull = false
vi.mock('node:fs', async (importOriginal) => {
  const real = await importOriginal<typeof fs>()
  const writeSync = (fd: number, bytes: Uint8Array, offset: number) => {
    // A disk that takes the name and some of the bytes.
    if (isFull && offset > 0) throw Object.assign(new Error('no room'), { code: 'ENOSPC' })
    return real.writeSync(fd, bytes, offset, isFull ? 1 : bytes.length - offset)
  }
  return { ...real, writeSync }
})

const directory = fs.mkdtempSync(join(tmpdir(), 'tidemark-disk-'))
afterEach(() => {
  isFull = false
  fs.rmSync(directory, { recursive: true, force: true })
})

test('of a new file that has no room nothing is left', () => {
  const path = join(directory, 'f')
  isFull = true
  expect(() => nodeFileSystem.writeNew(path, Buffer.from('bytes'), { mode: 0o600 })).toThrow('no room')
  expect(fs.readdirSync(directory)).toEqual([])
  isFull = false
  nodeFileSystem.writeNew(path, Buffer.from('bytes'), { mode: 0o600 })
  expect(() => nodeFileSystem.writeNew(path, Buffer.from('others'), { mode: 0o600 })).toThrow('EEXIST')
  expect(fs.readFileSync(path, 'utf8')).toBe('bytes')
})
