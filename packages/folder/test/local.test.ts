import { execFileSync } from 'node:child_process'
import * as fs from 'node:fs'
import { expect, test } from 'vitest'
import { bind, paths, shown } from './fixture.js'

test('what is in the folder at first is imported: files, directories, symlinks, the executable bit', async () => {
  const { space, binding, path } = await bind()
  fs.mkdirSync(path('a/b'), { recursive: true })
  fs.writeFileSync(path('a/b/file'), 'hello')
  fs.writeFileSync(path('run'), '#!/bin/sh\n', { mode: 0o755 })
  fs.symlinkSync('a/b/file', path('link'))
  const status = await binding.settled()
  expect(status.state).toBe('idle')
  const entries = await shown(space)
  expect([...entries.keys()].sort()).toEqual(['a', 'a/b', 'a/b/file', 'link', 'run'])
  expect(entries.get('run')!.executable).toBe(true)
  expect(entries.get('link')!.version!.target).toBe('a/b/file')
})

test('[FB10] an edit, a rename, a new directory and a deletion are each what they are', async () => {
  const { space, binding, path } = await bind()
  fs.writeFileSync(path('edited'), 'one')
  fs.writeFileSync(path('renamed'), 'two')
  fs.writeFileSync(path('deleted'), 'three')
  await binding.settled()
  const before = await shown(space)
  fs.writeFileSync(path('edited'), 'one more')
  fs.mkdirSync(path('dir'))
  fs.renameSync(path('renamed'), path('dir/moved'))
  fs.rmSync(path('deleted'))
  await binding.settled()
  const after = await shown(space)
  expect([...after.keys()].sort()).toEqual(['dir', 'dir/moved', 'edited'])
  expect(after.get('edited')!.node).toBe(before.get('edited')!.node)
  expect(after.get('edited')!.version!.size).toBe(8)
  expect(after.get('dir/moved')!.node).toBe(before.get('renamed')!.node)
})

test('[FB10] a swap of two files and of two directories keeps every node with its bytes', async () => {
  const { space, binding, path } = await bind()
  fs.writeFileSync(path('a'), 'A')
  fs.writeFileSync(path('b'), 'BB')
  fs.mkdirSync(path('d'))
  fs.mkdirSync(path('e'))
  fs.writeFileSync(path('d/in d'), '')
  await binding.settled()
  const before = await shown(space)
  for (const [from, to] of [
    ['a', 'b'],
    ['d', 'e'],
  ] as const) {
    fs.renameSync(path(from), path('t'))
    fs.renameSync(path(to), path(from))
    fs.renameSync(path('t'), path(to))
  }
  await binding.settled()
  const after = await shown(space)
  expect([...after.keys()].sort()).toEqual(['a', 'b', 'd', 'e', 'e/in d'])
  expect(after.get('b')!.node).toBe(before.get('a')!.node)
  expect(after.get('e')!.node).toBe(before.get('d')!.node)
  expect(after.get('e/in d')!.node).toBe(before.get('d/in d')!.node)
})

test('a file renamed over another is sent though a directory that was replaced made it wait', async () => {
  const { space, binding, path } = await bind()
  fs.mkdirSync(path('e'))
  fs.writeFileSync(path('e/a'), 'A')
  fs.writeFileSync(path('b'), 'BB')
  fs.mkdirSync(path('d'))
  await binding.settled()
  fs.renameSync(path('b'), path('e/a'))
  fs.rmdirSync(path('d'))
  fs.writeFileSync(path('d'), 'file')
  await binding.settled()
  const after = await shown(space)
  expect([...after].map(([name, { version }]) => [name, version?.size]).sort()).toEqual([
    ['d', 4],
    ['e', undefined],
    ['e/a', 2],
  ])
})

test('changes are seen without being asked for', async () => {
  const { space, binding, path, events } = await bind()
  await binding.settled()
  fs.mkdirSync(path('deep/er'), { recursive: true })
  fs.writeFileSync(path('deep/er/file'), 'x')
  await expect.poll(() => paths(space), { timeout: 2_000 }).toEqual(['deep', 'deep/er', 'deep/er/file'])
  fs.writeFileSync(path('deep/er/file'), 'more')
  await expect.poll(async () => (await shown(space)).get('deep/er/file')?.version?.size).toBe(4)
  fs.rmSync(path('deep'), { recursive: true })
  await expect.poll(() => paths(space), { timeout: 3_000 }).toEqual([])
  expect(events.filter(({ type }) => type === 'problem')).toEqual([])
})

test('odd things are problems, and everything else is synced', async () => {
  const { space, binding, directory, path } = await bind()
  execFileSync('mkfifo', [path('fifo')])
  fs.writeFileSync(Buffer.concat([Buffer.from(`${directory}/`), Buffer.from([0xff, 0x41])]), 'x')
  fs.writeFileSync(path('fine'), 'y')
  const { problems, state } = await binding.settled()
  expect(state).toBe('idle')
  expect(problems.map(({ cause }) => cause).sort()).toEqual(['not-utf8', 'special-file'])
  expect(await paths(space)).toEqual(['fine'])
})

test('an ignored path is not synced, and a new rule deletes nothing', async () => {
  const { space, binding, path } = await bind()
  fs.writeFileSync(path('keep.log'), 'synced before the rule')
  await binding.settled()
  fs.writeFileSync(path('.tidemarkignore'), '*.log\nbuild/\n')
  fs.writeFileSync(path('other.log'), 'x')
  fs.mkdirSync(path('build'))
  fs.writeFileSync(path('build/out'), 'x')
  await binding.settled()
  expect(await paths(space)).toEqual(['.tidemarkignore', 'keep.log'])
})

test('the folder belongs to one binding at a time', async () => {
  const { directory } = await bind()
  await expect(bind({ directory })).rejects.toMatchObject({ code: 'LOCKED' })
})

test('after a restart only what changed meanwhile is sent', async () => {
  const first = await bind()
  fs.mkdirSync(first.path('d'))
  for (const name of ['a', 'b', 'c', 'd/e']) fs.writeFileSync(first.path(name), name)
  await first.binding.settled()
  const before = await shown(first.space)
  await first.binding.close()
  fs.writeFileSync(first.path('a'), 'edited')
  fs.renameSync(first.path('d'), first.path('moved'))
  fs.rmSync(first.path('c'))
  const again = await bind({ directory: first.directory, storage: first.storage })
  await again.binding.settled()
  const after = await shown(again.space)
  expect([...after.keys()].sort()).toEqual(['a', 'b', 'moved', 'moved/e'])
  expect(after.get('moved/e')!.node).toBe(before.get('d/e')!.node)
  const sent = again.events.filter(({ type }) => type === 'sent').map(({ path }) => path)
  expect(sent.sort()).toEqual(['a', 'c', 'moved'])
})

test.each(['d', 'e'])(
  '[FB10] a directory whose place a link to %s takes is deleted with all that was in it',
  async (target) => {
    const { path, binding, space } = await bind()
    for (const name of ['d', 'e']) {
      fs.mkdirSync(path(name))
      fs.writeFileSync(path(`${name}/f`), name)
    }
    await binding.settled()
    fs.rmSync(path('d'), { recursive: true })
    fs.symlinkSync(target, path('d'))
    await binding.settled()
    expect(await paths(space)).toEqual(['d', 'e', 'e/f'])
    expect((await shown(space)).get('d')?.kind).toBe('symlink')
  },
)

test('[FB13] places that changed their kind one after the other are sent without another look', async () => {
  const { space, binding, path } = await bind()
  for (const name of ['a', 'b']) fs.writeFileSync(path(name), name)
  await binding.settled()
  for (const name of ['a', 'b']) {
    fs.rmSync(path(name))
    fs.mkdirSync(path(name))
    fs.writeFileSync(path(`${name}/x`), name)
    await new Promise((resolve) => setTimeout(resolve, 500))
  }
  await expect.poll(() => paths(space), { timeout: 8_000 }).toEqual(['a', 'a/x', 'b', 'b/x'])
})
