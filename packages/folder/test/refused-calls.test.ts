import * as fs from 'node:fs'
import { expect, test } from 'vitest'
import { nodeFileSystem } from '../src/adapters/node-file-system.js'
import type { FileSystem } from '../src/ports/file-system.js'
import { bind, bindOn, hub, onDisk, temporaryDirectory } from './fixture.js'

const refused = (code: string) => Object.assign(new Error(code), { code })

test('[CR18] a call that fails after a file went aside for a new version deletes that for nobody', async () => {
  const theHub = await hub()
  let aside: string | undefined
  let failures = 0
  const files: FileSystem = {
    ...nodeFileSystem,
    rename(from, to) {
      nodeFileSystem.rename(from, to)
      if (to.includes('/.tidemark/trash/')) aside = to
    },
    lstat(path) {
      if (path === aside && failures++ === 0) throw refused('EIO')
      return nodeFileSystem.lstat(path)
    },
  }
  const ann = await bindOn({ files }, { hub: theHub })
  fs.writeFileSync(ann.path('f'), 'zero')
  await ann.binding.settled()
  const bob = await bind({ hub: theHub })
  await bob.binding.settled()
  fs.writeFileSync(bob.path('f'), 'the version of bob')
  await bob.binding.settled()
  await expect.poll(() => onDisk(ann.directory), { timeout: 15_000 }).toEqual({ f: 'the version of bob' })
  await ann.binding.settled()
  expect(failures).toBeGreaterThan(0)
  expect(ann.events.filter(({ type, detail }) => type === 'sent' && detail !== 'create')).toEqual([])
  expect(onDisk(bob.directory)).toEqual({ f: 'the version of bob' })
}, 30_000)

/** `sub` is a mount of the same device (`mount --bind`, a project quota): nothing goes in or out by rename or link. */
function withMount(directory: string): FileSystem {
  const isInside = (path: string) => path.startsWith(`${directory}/sub/`)
  const guarded = (call: 'rename' | 'link') => (from: string, to: string) => {
    if (isInside(from) !== isInside(to)) throw refused('EXDEV')
    nodeFileSystem[call](from, to)
  }
  return { ...nodeFileSystem, rename: guarded('rename'), link: guarded('link') }
}

test('a rename by others within a mount of the same device makes no second file', async () => {
  const theHub = await hub()
  const ann = await bind({ hub: theHub })
  const directory = temporaryDirectory()
  fs.mkdirSync(`${directory}/sub`)
  fs.writeFileSync(`${directory}/sub/a`, 'bytes')
  const bob = await bindOn({ files: withMount(directory) }, { hub: theHub, directory })
  await bob.binding.settled()
  await ann.binding.settled()
  fs.renameSync(ann.path('sub/a'), ann.path('sub/b'))
  await ann.binding.settled()
  const problems = () => bob.binding.status.problems.map(({ path }) => path)
  await expect.poll(problems, { timeout: 15_000 }).toEqual(['sub/a'])
  expect(onDisk(directory)).toEqual({ sub: '/', 'sub/a': 'bytes' })
  // A full scan finds nothing that is new.
  bob.binding.rescan()
  await bob.binding.settled()
  expect(bob.events.filter(({ type }) => type === 'sent').map(({ path }) => path)).not.toContain('sub/b')
  expect(onDisk(ann.directory)).toEqual({ sub: '/', 'sub/b': 'bytes' })
}, 30_000)

/** From the first time on that something was lifted for others' swap (`lifted`), or has landed again, no fsync(2) succeeds for a while. */
function withoutDescriptors(directory: string, when: 'lifted' | 'landed', forMs: number) {
  let untilMs: number | undefined
  let wasLifted = false
  let failures = 0
  const refuse = () => {
    const staged = fs.readdirSync(`${directory}/.tidemark/staging`)
    const isLifted = staged.some((name) => name.startsWith('lift-'))
    wasLifted ||= isLifted
    if (when === 'lifted' ? isLifted : wasLifted && !isLifted) untilMs ??= Date.now() + forMs
    if (untilMs === undefined || Date.now() > untilMs) return
    failures++
    throw refused('EMFILE')
  }
  const files: FileSystem = {
    ...nodeFileSystem,
    fsync(path) {
      refuse()
      nodeFileSystem.fsync(path)
    },
    async syncAll(path) {
      refuse()
      await nodeFileSystem.syncAll(path)
    },
  }
  return { files, failures: () => failures }
}

test.each(['lifted', 'landed'] as const)(
  '[CR18] a moment without file descriptors when directories that swap are %s renames nothing for everybody',
  async (when) => {
    const theHub = await hub()
    const ann = await bind({ hub: theHub })
    fs.mkdirSync(ann.path('outer/inner'), { recursive: true })
    fs.writeFileSync(ann.path('outer/inner/in'), 'in')
    fs.writeFileSync(ann.path('outer/out'), 'out')
    await ann.binding.settled()
    const directory = temporaryDirectory()
    const { files, failures } = withoutDescriptors(directory, when, 1_200)
    const bob = await bindOn({ files }, { hub: theHub, directory })
    await bob.binding.settled()
    fs.renameSync(ann.path('outer/inner'), ann.path('tmp'))
    fs.renameSync(ann.path('outer'), ann.path('tmp/inner'))
    fs.renameSync(ann.path('tmp'), ann.path('outer'))
    await ann.binding.settled()
    const want = onDisk(ann.directory)
    await expect.poll(failures, { timeout: 15_000 }).toBeGreaterThan(0)
    await expect.poll(() => onDisk(directory), { timeout: 15_000 }).toEqual(want)
    bob.binding.rescan()
    await bob.binding.settled()
    await ann.binding.settled()
    expect(bob.events.filter(({ type }) => type === 'sent')).toEqual([])
    expect(onDisk(ann.directory)).toEqual(want)
  },
  40_000,
)
