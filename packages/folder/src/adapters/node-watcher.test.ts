import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { afterEach, expect, test } from 'vitest'
import type { Watcher } from '../ports/watcher.js'
import { nodeFileSystem } from './node-file-system.js'
import { EVENTS_QUEUED_MAX, nodeWatcher } from './node-watcher.js'

const cleanups: (() => void)[] = []
afterEach(() => {
  for (const clean of cleanups.splice(0).reverse()) clean()
})

interface Watched {
  readonly directory: string
  readonly watcher: Watcher
  readonly hints: Set<string>
  overflows(): number
}

/** A real directory with `d` in it, both watched. */
function watched(): Watched {
  const directory = fs.mkdtempSync(join(tmpdir(), 'tidemark-watcher-'))
  cleanups.push(() => fs.rmSync(directory, { recursive: true, force: true }))
  fs.mkdirSync(join(directory, 'd'))
  for (const name of ['a', 'b']) fs.writeFileSync(join(directory, name), '')
  const hints = new Set<string>()
  let overflows = 0
  const watcher = nodeWatcher(directory, {
    hint: (path) => void hints.add(path),
    overflow: () => void overflows++,
    degraded: () => undefined,
  })
  cleanups.push(() => watcher.close())
  for (const path of ['', 'd']) watcher.add(path, nodeFileSystem.lstat(join(directory, path))!.ino)
  return { directory, watcher, hints, overflows: () => overflows }
}

/** Without a turn of the event loop. Of two files in turn: equal events in a row are one. */
function change(directory: string, count: number): void {
  for (let i = 0; i < count; i++) fs.chmodSync(join(directory, i % 2 === 0 ? 'a' : 'b'), 0o600)
}

test('more changes than the system remembers, while the event loop stands still, are an overflow', async () => {
  const { directory, hints, overflows } = watched()
  const other = watched()
  change(directory, EVENTS_QUEUED_MAX)
  fs.writeFileSync(join(directory, 'd/f'), 'unheard')
  await expect.poll(overflows, { timeout: 10_000 }).toBe(1)
  // The queue is one for all of a process.
  expect(other.overflows()).toBe(1)
  expect([...hints]).toEqual(process.platform === 'linux' ? [''] : expect.anything())
})

test('the same changes with turns of the event loop between them are none', async () => {
  const { directory, hints, overflows } = watched()
  for (let done = 0; done < EVENTS_QUEUED_MAX; done += 1_000) {
    change(directory, 1_000)
    await setTimeout(1)
  }
  fs.writeFileSync(join(directory, 'd/f'), '')
  await expect.poll(() => hints.has('d')).toBe(true)
  expect(overflows()).toBe(0)
})

test('a watcher that was closed reports no overflow', async () => {
  const { directory, watcher, overflows } = watched()
  const other = watched()
  change(directory, EVENTS_QUEUED_MAX)
  change(other.directory, EVENTS_QUEUED_MAX)
  watcher.close()
  await setTimeout(50)
  expect(overflows()).toBe(0)
})
