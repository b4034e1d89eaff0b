import { spawn } from 'node:child_process'
import { once } from 'node:events'
import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { lockFolder } from './folder-lock.js'

const directories: string[] = []
afterEach(() => {
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
