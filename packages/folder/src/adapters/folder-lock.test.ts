import { spawn } from 'node:child_process'
import { once } from 'node:events'
import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test, vi } from 'vitest'
import { lockFolder } from './folder-lock.js'

/** Called after each look at a file that is no process's. */
let looked: (path: string) => void = () => undefined
vi.mock('node:fs', async (importOriginal) => {
  const real = await importOriginal<typeof fs>()
  const readFileSync = (...args: Parameters<typeof real.readFileSync>) => {
    const content = real.readFileSync(...args)
    if (!String(args[0]).startsWith('/proc/')) looked(String(args[0]))
    return content
  }
  return { ...real, readFileSync }
})

const directories: string[] = []
afterEach(() => {
  looked = () => undefined
  for (const directory of directories.splice(0)) fs.rmSync(directory, { recursive: true, force: true })
})
function lockPath(): string {
  const directory = fs.mkdtempSync(join(tmpdir(), 'tidemark-lock-'))
  directories.push(directory)
  return join(directory, 'lock')
}

test('a lock is held once in a process, and can be taken again when it was given back', () => {
  const path = lockPath()
  const unlock = lockFolder(path)
  expect(() => lockFolder(path)).toThrowError(expect.objectContaining({ code: 'LOCKED' }))
  unlock()
  unlock()
  lockFolder(path)()
  expect(fs.readdirSync(join(path, '..'))).toEqual([])
})

test('the lock of a living process is respected, that of a dead one taken over', async () => {
  const path = lockPath()
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'])
  fs.writeFileSync(path, JSON.stringify({ pid: child.pid }))
  expect(() => lockFolder(path)).toThrowError(`process ${child.pid} keeps this folder in sync already`)
  child.kill('SIGKILL')
  await once(child, 'exit')
  lockFolder(path)()
})

test('a lock with this process’ number from an earlier life is stale', () => {
  const path = lockPath()
  fs.writeFileSync(path, JSON.stringify({ pid: process.pid, started: '1' }))
  lockFolder(path)()
})

test('a lock file that says nothing is taken over', () => {
  const path = lockPath()
  fs.writeFileSync(path, '')
  lockFolder(path)()
})

const DEAD = JSON.stringify({ pid: process.pid, started: '1' })

test('a dead lock that another process takes over at the same time is not taken from that one', () => {
  const path = lockPath()
  fs.writeFileSync(path, DEAD)
  const other = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'])
  try {
    looked = () => {
      looked = () => undefined
      fs.rmSync(path)
      fs.writeFileSync(path, JSON.stringify({ pid: other.pid }))
    }
    expect(() => lockFolder(path)).toThrowError(`process ${other.pid} keeps this folder in sync already`)
    expect(fs.readdirSync(join(path, '..'))).toEqual(['lock'])
    expect(fs.readFileSync(path, 'utf8')).toBe(JSON.stringify({ pid: other.pid }))
  } finally {
    other.kill('SIGKILL')
  }
})

test('a process that dies while it takes a dead lock over is in nobody’s way', () => {
  const path = lockPath()
  const directory = join(path, '..')
  fs.writeFileSync(path, DEAD)
  let left: string[] = []
  let looks = 0
  looked = (at) => {
    if (at === path && ++looks === 2) left = fs.readdirSync(directory).filter((name) => name !== 'lock')
  }
  lockFolder(path)()
  expect(left.length).toBeGreaterThan(0)
  for (const name of ['lock', ...left]) fs.writeFileSync(join(directory, name), DEAD)
  lockFolder(path)()
  expect(fs.readdirSync(directory)).toEqual([])
})
