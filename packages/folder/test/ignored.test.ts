import * as fs from 'node:fs'
import { expect, test } from 'vitest'
import { bind, hub, onDisk, paths } from './fixture.js'

/** Two folders of one hub that hold `videos/v` and `d/x.log`. */
async function twoFolders() {
  const theHub = await hub()
  const a = await bind({ hub: theHub })
  const b = await bind({ hub: theHub })
  fs.mkdirSync(a.path('videos'))
  fs.writeFileSync(a.path('videos/v'), 'v')
  fs.mkdirSync(a.path('d'))
  fs.writeFileSync(a.path('d/f'), 'f')
  fs.writeFileSync(a.path('d/x.log'), 'x')
  await a.binding.settled()
  await b.binding.settled()
  return { a, b }
}

const ALL = ['d', 'd/f', 'd/x.log', 'videos', 'videos/v']

test('[FB14] what was synced, is ignored by now, and is removed here, stays with everybody else', async () => {
  const { a, b } = await twoFolders()
  fs.writeFileSync(b.path('.tidemarkignore'), 'videos/\n*.log\n.tidemarkignore\n')
  await b.binding.settled()
  fs.rmSync(b.path('videos'), { recursive: true })
  fs.rmSync(b.path('d/x.log'))
  await b.binding.settled()
  expect(b.events.filter(({ type }) => type === 'sent')).toEqual([])
  await a.binding.settled()
  expect(await paths(a.space)).toEqual(ALL)
  expect(Object.keys(onDisk(a.directory)).sort()).toEqual(ALL)
  fs.rmSync(b.path('.tidemarkignore'))
  await b.binding.settled()
  expect(onDisk(b.directory)).toEqual(onDisk(a.directory))
})

test('[FB14] a directory that is removed here goes with what is ignored in it, and does not come back', async () => {
  const { a, b } = await twoFolders()
  for (const { path } of [a, b]) fs.writeFileSync(path('.tidemarkignore'), '*.log\n')
  await a.binding.settled()
  await b.binding.settled()
  const before = b.events.length
  fs.rmSync(b.path('d'), { recursive: true })
  fs.writeFileSync(b.path('d'), 'a file in its place')
  await b.binding.settled()
  await expect.poll(() => paths(a.space), { timeout: 10_000 }).not.toContain('d/x.log')
  fs.rmSync(a.path('d'), { recursive: true, force: true })
  await a.binding.settled()
  await b.binding.settled()
  expect(fs.readFileSync(b.path('d'), 'utf8')).toBe('a file in its place')
  expect(b.events.slice(before).filter(({ type }) => type === 'applied')).toEqual([])
})

test('[FB14] what takes the place of a directory that is ignored by now leaves it to everybody else', async () => {
  const { a, b } = await twoFolders()
  fs.writeFileSync(b.path('.tidemarkignore'), 'videos/\n.tidemarkignore\n')
  await b.binding.settled()
  fs.rmSync(b.path('videos'), { recursive: true })
  fs.writeFileSync(b.path('videos'), 'a file')
  await b.binding.settled()
  await a.binding.settled()
  const tree = onDisk(a.directory)
  expect(Object.values(tree)).toContain('v')
  expect(Object.values(tree)).toContain('a file')
  expect(b.binding.status).toMatchObject({ state: 'idle', problems: [] })
})

/** Resolves only if the folder comes to rest. */
const rest = () => ({ signal: AbortSignal.timeout(30_000) })

test('[FB14] what comes to a place where something ignored stands waits, and is a problem by name', async () => {
  const theHub = await hub()
  const a = await bind({ hub: theHub })
  const b = await bind({ hub: theHub })
  fs.writeFileSync(a.path('.tidemarkignore'), 'build/\nout\n!out/\n')
  fs.mkdirSync(a.path('build'))
  fs.writeFileSync(a.path('build/x.o'), 'mine')
  fs.writeFileSync(a.path('out'), 'mine too')
  await a.binding.settled()
  await b.binding.settled()
  fs.writeFileSync(b.path('build'), 'a file')
  fs.mkdirSync(b.path('out'))
  fs.writeFileSync(b.path('out/y'), 'y')
  await b.binding.settled()
  const { state, problems } = await a.binding.settled(rest())
  expect(state).toBe('idle')
  expect(problems.map(({ path, cause }) => [path, cause]).sort()).toEqual([
    ['build', 'place-taken'],
    ['out', 'place-taken'],
  ])
  expect(onDisk(a.directory)).toMatchObject({ 'build/x.o': 'mine', out: 'mine too' })
  fs.renameSync(a.path('build'), a.path('elsewhere'))
  fs.rmSync(a.path('out'))
  expect(await a.binding.settled(rest())).toMatchObject({ state: 'idle', problems: [] })
  expect(onDisk(a.directory)).toMatchObject({ build: 'a file', 'out/y': 'y' })
})

test.each([
  ['edit', (path: string) => fs.writeFileSync(path, 'edited')],
  ['delete', (path: string) => fs.rmSync(path)],
])('[FB14] others %s what something ignored has the place of: it stays', async (_, change) => {
  const theHub = await hub()
  const a = await bind({ hub: theHub })
  const b = await bind({ hub: theHub })
  fs.writeFileSync(a.path('.tidemarkignore'), 'build/\n')
  fs.writeFileSync(a.path('build'), 'a file')
  await a.binding.settled()
  await b.binding.settled()
  fs.rmSync(a.path('build'))
  fs.mkdirSync(a.path('build'))
  fs.writeFileSync(a.path('build/x.o'), 'mine')
  await a.binding.settled()
  change(b.path('build'))
  await b.binding.settled()
  const { state, problems } = await a.binding.settled(rest())
  expect([state, problems.map(({ cause }) => cause)]).toEqual(['idle', ['place-taken']])
  expect(onDisk(a.directory)).toMatchObject({ 'build/x.o': 'mine' })
  fs.rmSync(a.path('build'), { recursive: true })
  await a.binding.settled(rest())
  await b.binding.settled()
  expect(onDisk(a.directory)).toEqual(onDisk(b.directory))
})
