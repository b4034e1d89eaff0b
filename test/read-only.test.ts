import { execFileSync, spawnSync } from 'node:child_process'
import { chmodSync, chownSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { TOKEN, type World } from './support/processes.js'
import { readTree } from './support/trees.js'
import { twoFolders } from './support/two-folders.js'

/** The user that owns nothing. */
const NOBODY = 65_534

let world: World
let hub: { url: string }
let a: string
let b: string
const undo: (() => void)[] = []
beforeEach(async () => {
  ;({ world, hub, a, b } = await twoFolders())
})
afterEach(async () => {
  for (const each of undo.splice(0)) each()
  await world.close()
})

const write = (folder: string, path: string, text: string): void => {
  mkdirSync(join(folder, path, '..'), { recursive: true })
  writeFileSync(join(folder, path), text)
}
const read = (folder: string, path: string): string => readFileSync(join(folder, path), 'utf8')

/** @returns whether the system lets these be immutable; if not, the reason is printed. */
function freeze(paths: readonly string[]): boolean {
  const { status } = spawnSync('chattr', ['+i', ...paths])
  undo.push(() => thaw(paths))
  if (status === 0) return true
  process.stdout.write('not checked: immutable files (chattr +i is not to be had here)\n')
  return false
}
const thaw = (paths: readonly string[]): void => void spawnSync('chattr', ['-i', ...paths])

test('[FB1] what this disk refuses is a problem by name; the rest arrives, and it does when the disk lets it', async () => {
  const files = ['frozen.txt', 'free.txt', 'frozen/in.txt', 'free/in.txt', 'gone.txt']
  for (const path of files) write(a, path, 'before')
  expect(await world.once(a, hub)).toBe(0)
  expect(await world.once(b, hub)).toBe(0)
  const frozen = ['frozen.txt', 'frozen', 'gone.txt'].map((path) => join(b, path))
  if (!freeze(frozen)) return
  for (const path of files) write(a, path, 'after it')
  write(a, 'frozen/new.txt', 'new')
  rmSync(join(a, 'gone.txt'))
  expect(await world.once(a, hub)).toBe(0)
  expect(await world.once(b, hub)).toBe(3)
  const { problems, pending } = await world.status(b)
  expect(problems.map(({ path, cause }) => `${path} ${cause}`).sort()).toEqual([
    'frozen.txt cannot-write',
    'frozen/in.txt cannot-write',
    'frozen/new.txt cannot-write',
    'gone.txt cannot-write',
  ])
  expect(pending).toBe(4)
  expect(files.map((path) => read(b, path))).toEqual(['before', 'after it', 'before', 'after it', 'before'])
  expect(await world.once(a, hub)).toBe(0)
  thaw(frozen)
  expect(await world.once(b, hub)).toBe(0)
  expect(readTree(b)).toEqual(readTree(a))
})

test('[FB1] another user syncs what it may: what it may not list or write is a problem, nothing is deleted', async () => {
  if (process.getuid?.() !== 0) {
    process.stdout.write('not checked: a sync of another user (only the superuser may start one)\n')
    return
  }
  chmodSync(world.home, 0o755)
  write(a, 'open/one.txt', 'one')
  write(a, 'secret/two.txt', 'two')
  write(a, 'secret/sub/deep.txt', 'deep')
  write(a, 'theirs/three.txt', 'three')
  expect(await world.once(a, hub)).toBe(0)
  expect(await world.once(b, hub)).toBe(0)
  execFileSync('chown', ['-R', `${NOBODY}:${NOBODY}`, b])
  chownSync(join(b, 'secret'), 0, 0)
  chmodSync(join(b, 'secret'), 0o700)
  chownSync(join(b, 'theirs'), 0, 0)
  write(a, 'open/one.txt', 'edited')
  write(a, 'theirs/new.txt', 'new')
  write(a, 'secret/two.txt', 'two, edited')
  write(a, 'secret/sub/deep.txt', 'deep, edited')
  expect(await world.once(a, hub)).toBe(0)
  const wrapper = [
    'setpriv',
    `--reuid=${NOBODY}`,
    `--regid=${NOBODY}`,
    '--clear-groups',
    'env',
    `TMPDIR=${join(b, '.tidemark')}`,
  ]
  const args = ['sync', b, '--hub', hub.url, '--token', TOKEN, '--once']
  const { code, stdout } = await world.run(args, { wrapper })
  expect(code).toBe(3)
  expect(stdout).toContain('secret (unreadable')
  expect(stdout).toContain('theirs/new.txt (cannot-write')
  expect(read(b, 'open/one.txt')).toBe('edited')
  expect(await world.once(a, hub)).toBe(0)
  expect(Object.keys(readTree(a))).toEqual([
    'open',
    'open/one.txt',
    'secret',
    'secret/sub',
    'secret/sub/deep.txt',
    'secret/two.txt',
    'theirs',
    'theirs/new.txt',
    'theirs/three.txt',
  ])
})

test('[FB1] a folder on a disk that is mounted read-only ends --once with the reason, and harms nothing', async () => {
  write(a, 'one.txt', 'one')
  expect(await world.once(a, hub)).toBe(0)
  const bind = spawnSync('mount', ['--bind', a, a])
  if (bind.status === 0) undo.push(() => void spawnSync('umount', ['-l', a]))
  if (bind.status !== 0 || spawnSync('mount', ['-o', 'remount,ro,bind', a]).status !== 0) {
    process.stdout.write('not checked: a read-only disk (this user may not mount)\n')
    return
  }
  const { code, stderr } = await world.run(['sync', a, '--hub', hub.url, '--token', TOKEN, '--once'])
  expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringMatching(/^tidemark: IO: .*read-only/i) })
  execFileSync('umount', [a])
  expect(await world.once(a, hub)).toBe(0)
  expect(await world.once(b, hub)).toBe(0)
  expect(readdirSync(b).sort()).toEqual(['.tidemark', 'one.txt'])
})
