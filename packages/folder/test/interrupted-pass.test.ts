import * as fs from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import type { SpaceBinding } from '@tidemark/engine'
import { expect, test } from 'vitest'
import { nodeFileSystem } from '../src/adapters/node-file-system.js'
import type { FileSystem } from '../src/ports/file-system.js'
import { type Bound, bind, bindOn, hub, onDisk } from './fixture.js'

/** Longer than a pass has at first until it must give way to local changes. */
const GIVEN_WAY_MS = 300

const isJournal = (ops: Parameters<SpaceBinding['writeRows']>[0]): boolean =>
  ops.some(({ type, key }) => type === 'put' && key === 'apply/batch')

/** While the `at`-th group of effects is under way something is saved, the pass is to give way, and a sync fails. */
async function failingWhenInterrupted(at: number) {
  let groups: number | undefined
  let isFailing = false
  let failures = 0
  const files: FileSystem = {
    ...nodeFileSystem,
    fsync(path) {
      if (isFailing) {
        isFailing = false
        failures++
        throw Object.assign(new Error('EIO'), { code: 'EIO' })
      }
      nodeFileSystem.fsync(path)
    },
  }
  const space = (binding: SpaceBinding): SpaceBinding =>
    Object.assign(Object.create(binding), {
      writeRows: async (...args: Parameters<SpaceBinding['writeRows']>) => {
        await binding.writeRows(...args)
        if (groups === undefined || !isJournal(args[0]) || ++groups !== at) return
        fs.writeFileSync(bob.path('of bob'), 'of bob')
        bob.binding.rescan()
        await pause(GIVEN_WAY_MS)
        isFailing = true
      },
    })
  const theHub = await hub()
  const ann = await bind({ hub: theHub })
  fs.mkdirSync(ann.path('outer/inner'), { recursive: true })
  fs.writeFileSync(ann.path('outer/inner/in'), 'in')
  fs.writeFileSync(ann.path('outer/out'), 'out')
  fs.writeFileSync(ann.path('f'), 'one')
  await ann.binding.settled()
  const bob: Bound = await bindOn({ files, space }, { hub: theHub })
  await bob.binding.settled()
  groups = 0
  return { ann, bob, failures: () => failures }
}

const edit = (ann: Bound): void => fs.writeFileSync(ann.path('f'), 'two')
const rename = (ann: Bound): void => fs.renameSync(ann.path('f'), ann.path('g'))
const swap = (ann: Bound): void => {
  fs.renameSync(ann.path('outer/inner'), ann.path('tmp'))
  fs.renameSync(ann.path('outer'), ann.path('tmp/inner'))
  fs.renameSync(ann.path('tmp'), ann.path('outer'))
}

test.each([
  ['an edit', edit, 1],
  ['a rename', rename, 1],
  ['the first step of a swap', swap, 1],
  ['the second step of a swap', swap, 2],
  ['the third step of a swap', swap, 3],
] as const)(
  '[CR18] a sync that fails while a pass gives way in %s makes nothing of it its user’s doing',
  async (_, act, at) => {
    const { ann, bob, failures } = await failingWhenInterrupted(at)
    act(ann)
    await ann.binding.settled()
    const want = { ...onDisk(ann.directory), 'of bob': 'of bob' }
    await expect.poll(failures, { timeout: 15_000 }).toBe(1)
    await bob.binding.settled()
    await ann.binding.settled()
    await bob.binding.settled()
    const sent = bob.events.filter(({ type }) => type === 'sent')
    expect(sent.map(({ path, detail }) => `${detail} ${path}`)).toEqual(['create of bob'])
    expect([onDisk(bob.directory), onDisk(ann.directory)]).toEqual([want, want])
  },
  40_000,
)
