import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { StatusFile } from './status-file.js'
import type { StatusReport } from './status-report.js'

let home: string
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'tidemark-status-'))
})
afterEach(() => rmSync(home, { recursive: true, force: true }))

const report = (pending: number): StatusReport => ({
  state: 'busy',
  connected: true,
  pending,
  pid: 1,
  folder: '/f',
  space: 's',
  hub: 'ws://h',
  detail: '',
  held: null,
  transfer: { doneBytes: 0, totalBytes: 0 },
  problems: [],
  tombstones: null,
})

test('a burst of changes is written once, with the last word, and leaves no temporary file', async () => {
  const path = join(home, 'status.json')
  let pending = 0
  const file = new StatusFile(path, () => report(pending))
  for (pending = 1; pending < 100; pending++) file.changed()
  expect(readdirSync(home)).toEqual([])
  file.write()
  expect(JSON.parse(readFileSync(path, 'utf8'))).toMatchObject({ pending: 100 })
  expect(readdirSync(home)).toEqual(['status.json'])
})

test('a disk that refuses the file ends nothing, and the next change writes it', () => {
  const directory = join(home, 'later')
  const file = new StatusFile(join(directory, 'status.json'), () => report(1))
  expect(() => file.write()).not.toThrow()
  mkdirSync(directory)
  file.write()
  expect(readdirSync(directory)).toEqual(['status.json'])
})
