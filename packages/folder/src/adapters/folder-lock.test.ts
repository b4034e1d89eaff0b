import { spawn } from 'node:child_process'
import { once } from 'node:events'
import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test, vi } from 'vitest'
import { lockFolder } from './folder-lock.js'

/** Called after each look at a file that is no process's. */
let looked: (path: string) => void = () => undefined
/** The disk has no second names for a file, as exFAT. */
let hasLinks = true
vi.mock('node:fs', async (importOriginal) => {
  const real = await importOriginal<typeof fs>()
  const readFileSync = (...args: Parameters<typeof real.readFileSync>) => {
    const content = real.readFileSync(...args)
    if (!String(args[0]).startsWith('/proc/')) looked(String(args[0]))
    return content
  }
  const linkSync = (...args: Parameters<typeof real.linkSync>) => {
    if (!hasLinks) throw Object.assign(new Error('EPERM'), { code: 'EPERM' })
    real.linkSync(...args)
  }
  return { ...real, readFileSync, linkSync }
})

const directories: string[] = []
afterEach(() => {
  looked = () => undefined
  hasLinks = true
  for (const directory of directories.splice(0)) fs.rmSync(directory, { recursive: true, force: true })
})
function lockPath(): string {
  const directory = fs.mkdtempSync(join(tmpdir(), 'tidemark-lock-'))
  directories.push(directory)
  return join(directory, 'lock')
}

/** What a lock of this process says, but for this. */
function lockOf(other: Readonly<Record<string, unknown>>): string {
  const path = lockPath()
  const unlock = lockFolder(path)
  const own = JSON.parse(fs.readFileSync(path, 'utf8')) as Record<string, unknown>
  unlock()
  return JSON.stringify({ ...own, started: undefined, ...other })
}

test.each([true, false])(
  'a lock is held once in a process, and can be taken again when it was given back (links: %s)',
  (links) => {
    hasLinks = links
    const path = lockPath()
    const unlock = lockFolder(path)
    expect(() => lockFolder(path)).toThrowError(expect.objectContaining({ code: 'LOCKED' }))
    unlock()
    unlock()
    lockFolder(path)()
    expect(fs.readdirSync(join(path, '..'))).toEqual([])
  },
)

test.each([true, false])(
  'the lock of a living process is respected, that of a dead one taken over (links: %s)',
  async (links) => {
    hasLinks = links
    const path = lockPath()
    const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'])
    fs.writeFileSync(path, lockOf({ pid: child.pid }))
    expect(() => lockFolder(path)).toThrowError(`process ${child.pid} keeps this folder in sync already`)
    child.kill('SIGKILL')
    await once(child, 'exit')
    lockFolder(path)()
  },
)

test('a lock with this process’ number from an earlier life is stale', () => {
  const path = lockPath()
  fs.writeFileSync(path, lockOf({ started: '1' }))
  lockFolder(path)()
})

test.each([
  ['another machine', { host: 'elsewhere', boot: 'another' }],
  ['another machine that says no more', { host: 'elsewhere', boot: undefined, namespace: undefined }],
  ['a container of this machine', { host: 'elsewhere', namespace: 'pid:[1]' }],
  ['a container with the name of this machine', { namespace: 'pid:[1]' }],
])('of the lock of %s nobody knows here that it is dead: the error says which file to remove', (_, place) => {
  const path = lockPath()
  const text = lockOf({ pid: 2 ** 22 + 1, ...place })
  fs.writeFileSync(path, text)
  const message = expect.stringContaining(`remove ${path}`)
  expect(() => lockFolder(path)).toThrowError(expect.objectContaining({ code: 'LOCKED', message }))
  expect(fs.readFileSync(path, 'utf8')).toBe(text)
  fs.rmSync(path)
  lockFolder(path)()
})

test('a lock of this machine from before its last start is dead, whoever has its number now', () => {
  const path = lockPath()
  fs.writeFileSync(path, lockOf({ pid: process.ppid, boot: 'another' }))
  lockFolder(path)()
  expect(fs.readdirSync(join(path, '..'))).toEqual([])
})

test('a lock file that says nothing is taken over, unless somebody may be writing it just now', () => {
  const path = lockPath()
  fs.writeFileSync(path, '')
  expect(() => lockFolder(path)).toThrowError(expect.objectContaining({ code: 'LOCKED' }))
  const agoS = Date.now() / 1_000 - 60
  fs.utimesSync(path, agoS, agoS)
  lockFolder(path)()
})

test.each([1, 2, 3])('a lock that cannot be read is not dead for that (%i failures)', (failures) => {
  const path = lockPath()
  const text = lockOf({ pid: process.ppid })
  fs.writeFileSync(path, text)
  const agoS = Date.now() / 1_000 - 60
  fs.utimesSync(path, agoS, agoS)
  let left = failures
  looked = () => {
    if (left-- > 0) throw Object.assign(new Error('EIO'), { code: 'EIO' })
  }
  expect(() => lockFolder(path)).toThrowError(expect.objectContaining({ code: 'EIO' }))
  looked = () => undefined
  expect(fs.readFileSync(path, 'utf8')).toBe(text)
  expect(fs.readdirSync(join(path, '..'))).toEqual(['lock'])
})

test('a lock that cannot be read as it is given back stays, as that of a process that is no more', () => {
  const path = lockPath()
  const unlock = lockFolder(path)
  looked = () => {
    throw Object.assign(new Error('EIO'), { code: 'EIO' })
  }
  unlock()
  looked = () => undefined
  lockFolder(path)()
  expect(fs.readdirSync(join(path, '..'))).toEqual([])
})

const DEAD = lockOf({ started: '1' })

test('a dead lock that another process takes over at the same time is not taken from that one', () => {
  const path = lockPath()
  fs.writeFileSync(path, DEAD)
  const other = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'])
  const living = lockOf({ pid: other.pid })
  try {
    looked = () => {
      looked = () => undefined
      fs.rmSync(path)
      fs.writeFileSync(path, living)
    }
    expect(() => lockFolder(path)).toThrowError(`process ${other.pid} keeps this folder in sync already`)
    expect(fs.readdirSync(join(path, '..'))).toEqual(['lock'])
    expect(fs.readFileSync(path, 'utf8')).toBe(living)
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

test('whoever held it with the database that is open here is dead, in another container too', () => {
  const foreign = { namespace: 'pid:[1]', host: 'another', pid: 1 }
  const path = lockPath()
  fs.writeFileSync(path, lockOf({ ...foreign, binding: 'one' }))
  expect(() => lockFolder(path, 'two')).toThrowError(expect.objectContaining({ code: 'LOCKED' }))
  expect(() => lockFolder(path)).toThrowError(expect.objectContaining({ code: 'LOCKED' }))
  lockFolder(path, 'one')()
  expect(fs.existsSync(path)).toBe(false)
})
