import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { makeDirectories } from './make-directories.js'

let home: string
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'tidemark-directories-'))
})
afterEach(() => rmSync(home, { recursive: true, force: true }))

test('what is missing is made with its mode, and what is there stays', () => {
  makeDirectories(join(home, 'a/b/c'), 0o700)
  makeDirectories(join(home, 'a/b/c'), 0o755)
  expect(statSync(join(home, 'a/b')).mode & 0o777).toBe(0o700)
  expect(statSync(join(home, 'a/b/c')).mode & 0o777).toBe(0o700)
})

test('a file in the way is refused by the system', () => {
  writeFileSync(join(home, 'file'), '')
  expect(() => makeDirectories(join(home, 'file'))).toThrow(expect.objectContaining({ code: 'EEXIST' }))
  expect(() => makeDirectories(join(home, 'file/below'))).toThrow(
    expect.objectContaining({ code: 'ENOTDIR' }),
  )
})

test.runIf(existsSync('/proc/self'))('a place where no directory can be made is refused at once', () => {
  expect(() => makeDirectories('/proc/tidemark/x')).toThrow(expect.objectContaining({ code: 'ENOENT' }))
})
