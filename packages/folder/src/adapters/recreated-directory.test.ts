import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Watcher } from '../ports/watcher.js'
import { nodeWatcher } from './node-watcher.js'

/** Disks give the number of what is gone to what comes next. */
const INO = '7'

let root: string
let hinted: string[]
let watcher: Watcher
beforeEach(() => {
  root = fs.realpathSync(fs.mkdtempSync(join(tmpdir(), 'tidemark-watcher-')))
  hinted = []
  watcher = nodeWatcher(root, {
    hint: (directory) => void hinted.push(directory),
    overflow: () => {},
    degraded: () => {},
  })
})
afterEach(() => {
  watcher.close()
  fs.rmSync(root, { recursive: true, force: true })
})

test.each([
  ['removed', () => fs.rmdirSync(join(root, 'd'))],
  ['renamed', () => fs.renameSync(join(root, 'd'), join(root, 'e'))],
])('a directory that is %s is watched no more, whatever inode the next one there has', async (_, leave) => {
  fs.mkdirSync(join(root, 'd'))
  watcher.add('d', INO)
  expect(watcher.covers('d', INO)).toBe(true)
  leave()
  fs.mkdirSync(join(root, 'd'))
  await expect.poll(() => watcher.covers('d', INO), { timeout: 5_000 }).toBe(false)
  expect(hinted).toContain('d')
  watcher.add('d', INO)
  hinted = []
  fs.writeFileSync(join(root, 'd', 'f'), 'text')
  await expect.poll(() => hinted, { timeout: 5_000 }).toContain('d')
})
