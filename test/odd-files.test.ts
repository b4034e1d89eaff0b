import { execFileSync, spawnSync } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { World } from './support/processes.js'
import { readTree } from './support/trees.js'
import { twoFolders } from './support/two-folders.js'

const IS_ROOT = process.getuid?.() === 0
/** Runs a program as root that must ask for permission like anybody else. */
const WITHOUT_OVERRIDE = ['setpriv', '--inh-caps=-all', '--bounding-set=-dac_override,-dac_read_search']

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

async function problemPaths(folder: string): Promise<string[]> {
  return (await world.status(folder)).problems.map((problem) => problem.path)
}

/** @returns the wrapper under which permissions bind, or `undefined` with a printed reason. */
function unprivileged(): readonly string[] | undefined {
  if (!IS_ROOT) return []
  const probe = spawnSync(WITHOUT_OVERRIDE[0]!, [...WITHOUT_OVERRIDE.slice(1), 'true'])
  if (probe.status === 0) return WITHOUT_OVERRIDE
  process.stdout.write(
    'not checked: unreadable files (running as root and setpriv cannot drop capabilities)\n',
  )
  return undefined
}

test('[FB1] an unreadable file and an unreadable directory are problems by name; nothing is deleted, the rest travels', async () => {
  const wrapper = unprivileged()
  if (!wrapper) return
  write(a, 'secret.txt', 'old secret')
  write(a, 'locked/inside.txt', 'inside')
  write(a, 'plain.txt', 'plain')
  expect(await world.once(a, hub)).toBe(0)
  expect(await world.once(b, hub)).toBe(0)
  write(a, 'secret.txt', 'new secret')
  write(a, 'plain.txt', 'plain, edited')
  chmodSync(join(a, 'secret.txt'), 0)
  chmodSync(join(a, 'locked'), 0)
  expect(await world.once(a, hub, { wrapper })).toBe(3)
  expect((await problemPaths(a)).sort()).toEqual(['locked', 'secret.txt'])
  expect(await world.once(b, hub)).toBe(0)
  expect(readFileSync(join(b, 'secret.txt'), 'utf8')).toBe('old secret')
  expect(readFileSync(join(b, 'locked/inside.txt'), 'utf8')).toBe('inside')
  expect(readFileSync(join(b, 'plain.txt'), 'utf8')).toBe('plain, edited')
  chmodSync(join(a, 'secret.txt'), 0o644)
  chmodSync(join(a, 'locked'), 0o755)
  expect(await world.once(a, hub, { wrapper })).toBe(0)
  expect(await world.once(b, hub)).toBe(0)
  expect(readTree(b)).toEqual(readTree(a))
})

test('[FB2] a fifo, a socket and a fifo in the place of a synced file are problems; they are never read and delete nothing', async () => {
  write(a, 'was-a-file.txt', 'kept')
  write(a, 'plain.txt', 'plain')
  expect(await world.once(a, hub)).toBe(0)
  rmSync(join(a, 'was-a-file.txt'))
  execFileSync('mkfifo', [join(a, 'was-a-file.txt'), join(a, 'pipe')])
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(join(a, 'socket'), resolve))
  try {
    expect(await world.once(a, hub)).toBe(3)
    expect((await problemPaths(a)).sort()).toEqual(['pipe', 'socket', 'was-a-file.txt'])
  } finally {
    await new Promise((resolve) => server.close(resolve))
  }
  expect(await world.once(b, hub)).toBe(0)
  expect(Object.keys(readTree(b))).toEqual(['plain.txt', 'was-a-file.txt'])
  expect(lstatSync(join(a, 'pipe')).isFIFO()).toBe(true)
})

test('[FB3] names of 255 bytes, with a line feed, quotes, a trailing dot or only spaces travel unchanged', async () => {
  const names = [
    'n'.repeat(255),
    'ü'.repeat(127),
    'line\nfeed',
    `quo"te's`,
    'dot.',
    ' ',
    '-rf',
    '*?<>|:\\',
    '\u001b[2J',
    '…',
  ]
  for (const name of names) write(a, name, `named ${name}`)
  write(a, `${'d'.repeat(255)}/${'e'.repeat(255)}/deep.txt`, 'deep')
  expect(await world.once(a, hub)).toBe(0)
  expect(await world.once(b, hub)).toBe(0)
  expect(readTree(b)).toEqual(readTree(a))
  for (const name of names) expect(readFileSync(join(b, name), 'utf8')).toBe(`named ${name}`)
})

test('[FB4] a name that is not UTF-8 is a problem: not sent, never deleted', async () => {
  const odd = Buffer.concat([Buffer.from(`${a}/bad-`), Buffer.from([0xff, 0xfe])])
  writeFileSync(odd, 'only here')
  write(a, 'plain.txt', 'plain')
  expect(await world.once(a, hub)).toBe(3)
  expect(await problemPaths(a)).toEqual(['bad-\ufffd\ufffd'])
  expect(await world.once(b, hub)).toBe(0)
  expect(Object.keys(readTree(b))).toEqual(['plain.txt'])
  write(b, 'plain.txt', 'edited on b')
  expect(await world.once(b, hub)).toBe(0)
  expect(await world.once(a, hub)).toBe(3)
  expect(readFileSync(join(a, 'plain.txt'), 'utf8')).toBe('edited on b')
  expect(readFileSync(odd, 'utf8')).toBe('only here')
})

test('[FB5] symlinks travel as links, dangling ones and those out of the folder too, and are never followed', async () => {
  const outside = world.path('outside')
  write(outside, 'secret.txt', 'outside')
  symlinkSync('nowhere', join(a, 'dangling'))
  symlinkSync(outside, join(a, 'out'))
  symlinkSync('../../../../etc/passwd', join(a, 'escape'))
  symlinkSync('.', join(a, 'loop'))
  expect(await world.once(a, hub)).toBe(0)
  expect(await world.once(b, hub)).toBe(0)
  expect(readTree(b)).toEqual(readTree(a))
  expect(readlinkSync(join(b, 'out'))).toBe(outside)
  rmSync(join(a, 'out'))
  expect(await world.once(a, hub)).toBe(0)
  expect(await world.once(b, hub)).toBe(0)
  expect(existsSync(join(b, 'out'))).toBe(false)
  expect(readFileSync(join(outside, 'secret.txt'), 'utf8')).toBe('outside')
})

test('[FB6] nothing is written through a symlink that took the place of a parent directory', async () => {
  const outside = world.path('outside')
  write(outside, 'x.txt', 'outside')
  write(a, 'd/x.txt', 'base')
  expect(await world.once(a, hub)).toBe(0)
  expect(await world.once(b, hub)).toBe(0)
  renameSync(join(b, 'd'), world.path('moved-away'))
  symlinkSync(outside, join(b, 'd'))
  write(a, 'd/x.txt', 'edited on a')
  write(a, 'd/new.txt', 'new on a')
  expect(await world.once(a, hub)).toBe(0)
  for (const folder of [b, a, b]) await world.once(folder, hub)
  expect(readTree(outside)).toEqual({ 'x.txt': expect.stringMatching(/^7 /) })
  expect(readFileSync(join(outside, 'x.txt'), 'utf8')).toBe('outside')
  expect(readTree(b)).toEqual(readTree(a))
  expect(readFileSync(join(b, 'd/x.txt'), 'utf8')).toBe('edited on a')
  expect(readFileSync(join(b, 'd/new.txt'), 'utf8')).toBe('new on a')
})

test('[FB7] a mount that vanished and one that appeared below the root delete nothing', async () => {
  write(a, 'covered/below.txt', 'below the mount')
  write(a, 'plain.txt', 'plain')
  expect(await world.once(a, hub)).toBe(0)
  expect(await world.once(b, hub)).toBe(0)
  const mount = (path: string) => spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', path])
  if (!IS_ROOT || mount(join(a, 'covered')).status !== 0) {
    process.stdout.write('not checked: a vanished mount (this user may not mount)\n')
    return
  }
  try {
    expect(await world.once(a, hub)).toBe(3)
    expect(await problemPaths(a)).toEqual(['covered'])
    expect(await world.once(b, hub)).toBe(0)
    expect(readFileSync(join(b, 'covered/below.txt'), 'utf8')).toBe('below the mount')
  } finally {
    execFileSync('umount', [join(a, 'covered')])
  }
  expect(await world.once(a, hub)).toBe(0)
  expect(await world.once(b, hub)).toBe(0)
  expect(readTree(b)).toEqual(readTree(a))
})

test('[FB8] a folder whose marker is gone is held, not emptied elsewhere', async () => {
  for (let i = 0; i < 20; i++) write(a, `${i}.txt`, `file ${i}`)
  expect(await world.once(a, hub, { extra: ['--state', world.path('state-a')] })).toBe(0)
  expect(await world.once(b, hub)).toBe(0)
  for (const name of readdirSync(a)) rmSync(join(a, name), { recursive: true })
  expect(await world.once(a, hub, { extra: ['--state', world.path('state-a')] })).toBe(3)
  expect(await world.once(b, hub)).toBe(0)
  expect(Object.keys(readTree(b)).length).toBe(20)
})

test('[FB8] a folder that another state has bound is not taken over', async () => {
  write(a, 'f', 'of the first')
  const other = ['--state', world.path('other')]
  expect(await world.once(a, hub)).toBe(0)
  expect(await world.once(a, hub, { extra: other })).toBe(3)
  const { stdout } = await world.run(['status', ...other, '--json'])
  expect(JSON.parse(stdout).held.reason).toContain('bound by another database')
  write(a, 'f', 'still of the first')
  expect(await world.once(a, hub)).toBe(0)
  expect(await world.once(b, hub)).toBe(0)
  expect(readTree(b)).toEqual(readTree(a))
})
