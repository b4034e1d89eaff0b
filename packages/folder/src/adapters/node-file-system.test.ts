import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
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

const { platform } = process
const directory = fs.mkdtempSync(join(tmpdir(), 'tidemark-disk-'))
afterEach(() => {
  isFull = false
  Object.defineProperty(process, 'platform', { value: platform })
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

describe('a second name of a symlink', () => {
  const file = join(directory, 'f')
  const [first, second] = [join(directory, 's'), join(directory, 't')]
  beforeEach(() => {
    fs.mkdirSync(directory, { recursive: true })
    fs.writeFileSync(file, 'bytes')
    fs.symlinkSync('f', first)
  })

  test.skipIf(platform !== 'linux')('is none of what it leads to', () => {
    nodeFileSystem.link(first, second)
    expect(nodeFileSystem.lstat(second)).toEqual(nodeFileSystem.lstat(first))
    expect(nodeFileSystem.lstat(file)?.nlink).toBe(1)
  })

  test('is refused where the system would follow it', () => {
    Object.defineProperty(process, 'platform', { value: 'darwin' })
    expect(() => nodeFileSystem.link(first, second)).toThrow('ENOTSUP')
    expect(nodeFileSystem.lstat(second)).toBeUndefined()
    nodeFileSystem.link(file, second)
    expect(nodeFileSystem.lstat(file)?.nlink).toBe(2)
  })
})
