import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { until, type World } from './support/processes.js'
import { readTree } from './support/trees.js'
import { twoFolders } from './support/two-folders.js'

const RULES = '.tidemarkignore'

let world: World
let hub: { url: string }
let a: string
let b: string
beforeEach(async () => {
  ;({ world, hub, a, b } = await twoFolders())
})
afterEach(() => world.close())

const write = (folder: string, path: string, text: string): void => {
  mkdirSync(join(folder, path, '..'), { recursive: true })
  writeFileSync(join(folder, path), text)
}
const read = (folder: string, path: string): string => readFileSync(join(folder, path), 'utf8')
const names = (folder: string): string[] => Object.keys(readTree(folder))
const isIdle = async (folder: string): Promise<boolean> => {
  const { stdout } = await world.run(['status', folder, '--json'])
  return stdout !== '' && JSON.parse(stdout).state === 'idle'
}

test('[FB14] a directory that was deleted elsewhere keeps its ignored files, is a problem by name, and goes when they go', async () => {
  write(a, RULES, '*.log\n')
  write(a, 'd/deep/one.txt', 'one')
  write(a, 'd/two.txt', 'two')
  write(a, 'plain.txt', 'plain')
  expect(await world.once(a, hub)).toBe(0)
  expect(await world.once(b, hub)).toBe(0)
  write(b, 'd/deep/private.log', 'only here')
  rmSync(join(a, 'd'), { recursive: true })
  write(a, 'plain.txt', 'edited')
  expect(await world.once(a, hub)).toBe(0)
  expect(await world.once(b, hub)).toBe(3)
  const { state, pending, problems } = await world.status(b)
  expect({ state, pending }).toEqual({ state: 'stopped', pending: 0 })
  expect(problems).toMatchObject([{ path: 'd/deep', cause: 'not-empty' }])
  expect(names(b)).toEqual([RULES, 'd', 'd/deep', 'd/deep/private.log', 'plain.txt'])
  expect(await world.once(a, hub)).toBe(0)
  expect(existsSync(join(a, 'd'))).toBe(false)
  rmSync(join(b, 'd/deep/private.log'))
  expect(await world.once(b, hub)).toBe(0)
  expect(readTree(b)).toEqual(readTree(a))
})

test('[FB14] rules that lie in a deleted directory go on hiding what they hid: nothing private is sent', async () => {
  write(a, 'd/.tidemarkignore', '*.key\n')
  write(a, 'd/sub/text.txt', 'text')
  expect(await world.once(a, hub)).toBe(0)
  expect(await world.once(b, hub)).toBe(0)
  write(b, 'd/sub/secret.key', 'secret')
  rmSync(join(a, 'd'), { recursive: true })
  // The place is wanted again, for something that is no directory.
  write(a, 'd', 'a file by now')
  expect(await world.once(a, hub)).toBe(0)
  for (let run = 0; run < 2; run++) {
    expect(await world.once(b, hub)).toBe(3)
    expect(names(b)).toEqual(['d', 'd/.tidemarkignore', 'd/sub', 'd/sub/secret.key'])
  }
  expect(await world.once(a, hub)).toBe(0)
  expect(readTree(a)).toEqual({ d: expect.stringMatching(/^13 /) })
  rmSync(join(b, 'd/sub/secret.key'))
  expect(await world.once(b, hub)).toBe(0)
  expect(read(b, 'd')).toBe('a file by now')
})

test('[FB14] what others make under an ignored name arrives when the rule goes, without a restart', async () => {
  write(b, RULES, `build\n*.log\n${RULES}\n`)
  const liveA = world.live(a, hub)
  const liveB = world.live(b, hub)
  await until('both are idle', async () => (await isIdle(a)) && (await isIdle(b)))
  write(a, 'build/out/x.o', 'object')
  write(a, 'd/trace.log', 'trace')
  write(a, 'd/seen.txt', 'seen')
  await until('the rest is there', () => existsSync(join(b, 'd/seen.txt')))
  expect(existsSync(join(b, 'build'))).toBe(false)
  expect(existsSync(join(b, 'd/trace.log'))).toBe(false)
  rmSync(join(b, RULES))
  await until('they arrive', () => existsSync(join(b, 'build/out/x.o')) && existsSync(join(b, 'd/trace.log')))
  await until('both are idle', async () => (await isIdle(a)) && (await isIdle(b)))
  expect(readTree(b)).toEqual(readTree(a))
  expect(await liveA.stop()).toBe(0)
  expect(await liveB.stop()).toBe(0)
})

test('[FB14] a rule for what is synced deletes nothing on any side, nor does what others do to it then', async () => {
  write(a, 'keep/one.log', 'one')
  write(a, 'keep/two.log', 'two')
  expect(await world.once(a, hub)).toBe(0)
  expect(await world.once(b, hub)).toBe(0)
  write(b, 'keep/.tidemarkignore', '*.log\n')
  expect(await world.once(b, hub)).toBe(0)
  expect(await world.once(a, hub)).toBe(0)
  expect(names(a)).toEqual(['keep', 'keep/.tidemarkignore', 'keep/one.log', 'keep/two.log'])
  rmSync(join(b, 'keep/one.log'))
  write(b, 'keep/two.log', 'edited under the rule')
  expect(await world.once(b, hub)).toBe(0)
  expect(await world.once(a, hub)).toBe(0)
  expect(read(a, 'keep/one.log')).toBe('one')
  expect(read(a, 'keep/two.log')).toBe('two')
})

test('[FB14] rules hold in nested directories, a deeper file overrules, and they move with their directory', async () => {
  write(a, RULES, '*.tmp\n/only-here\n')
  write(a, 'x.tmp', '')
  write(a, 'only-here', '')
  write(a, 'sub/only-here', '')
  write(a, 'sub/.tidemarkignore', '!keep.tmp\nbuild/\n')
  write(a, 'sub/keep.tmp', '')
  write(a, 'sub/other.tmp', '')
  write(a, 'sub/deep/build/out', '')
  write(a, 'sub/deep/build.txt', '')
  expect(await world.once(a, hub)).toBe(0)
  expect(await world.once(b, hub)).toBe(0)
  const sub = ['', '/.tidemarkignore', '/deep', '/deep/build.txt', '/keep.tmp', '/only-here']
  expect(names(b)).toEqual([RULES, ...sub.map((name) => `sub${name}`)])
})
