import * as fs from 'node:fs'
import { expect, test } from 'vitest'
import { nodeFileSystem } from '../src/adapters/node-file-system.js'
import type { FileSystem } from '../src/ports/file-system.js'
import { type Bound, bind, bindOn, hub, onDisk } from './fixture.js'

type Refused = 'unlink in staging' | 'lstat in the trash'

/** Two folders; the disk of `bob` does not let what is half done be settled as long as it refuses that. */
async function annAndBob(what: Refused) {
  let isRefusing = false
  let failures = 0
  const refuse = () => {
    failures++
    throw Object.assign(new Error('EIO'), { code: 'EIO' })
  }
  const files: FileSystem = {
    ...nodeFileSystem,
    unlink(path) {
      if (isRefusing && what === 'unlink in staging' && path.includes('/.tidemark/staging/')) refuse()
      nodeFileSystem.unlink(path)
    },
    lstat(path) {
      const stat = nodeFileSystem.lstat(path)
      if (isRefusing && what === 'lstat in the trash' && stat && path.includes('/.tidemark/trash/')) refuse()
      return stat
    },
  }
  const theHub = await hub()
  const ann = await bind({ hub: theHub })
  fs.mkdirSync(ann.path('d'))
  fs.writeFileSync(ann.path('d/in'), 'in')
  fs.writeFileSync(ann.path('f'), 'one')
  fs.writeFileSync(ann.path('x'), 'x')
  await ann.binding.settled()
  const bob = await bindOn({ files }, { hub: theHub })
  await bob.binding.settled()
  const sent = () =>
    bob.events.filter(({ type }) => type === 'sent').map(({ path, detail }) => `${detail} ${path}`)
  return {
    ann,
    bob,
    sent,
    async refuse(act: (ann: Bound) => void) {
      isRefusing = true
      act(ann)
      await ann.binding.settled()
      await expect.poll(() => failures, { timeout: 15_000 }).toBeGreaterThan(0)
    },
    allowAlone() {
      isRefusing = false
    },
    async allow() {
      isRefusing = false
      bob.binding.rescan()
      await bob.binding.settled()
      await ann.binding.settled()
      await bob.binding.settled()
    },
  }
}

/** A look at everything that begins after the call has ended. */
async function looked({ binding, events }: Bound): Promise<void> {
  const scans = () => events.filter(({ detail }) => detail === 'full scan ended').length
  // One may be under way.
  const enough = scans() + 2
  const more = () => {
    binding.rescan()
    return scans()
  }
  await expect.poll(more, { timeout: 15_000, interval: 100 }).toBeGreaterThanOrEqual(enough)
}

const before = { d: '/', 'd/in': 'in', x: 'x' }
const create = (ann: Bound) => fs.writeFileSync(ann.path('g'), 'new')
const edit = (ann: Bound) => fs.writeFileSync(ann.path('f'), 'two')
const move = (ann: Bound) => fs.renameSync(ann.path('f'), ann.path('d/f'))

test.each([
  ['a new file', 'unlink in staging', create, undefined, { ...before, f: 'one', g: 'new' }],
  [
    'a new file that is edited',
    'unlink in staging',
    create,
    (ann: Bound) => fs.writeFileSync(ann.path('g'), 'newer'),
    { ...before, f: 'one', g: 'newer' },
  ],
  ['an edit', 'unlink in staging', edit, undefined, { ...before, f: 'two' }],
  ['an edit', 'lstat in the trash', edit, undefined, { ...before, f: 'two' }],
  ['a move', 'unlink in staging', move, undefined, { ...before, 'd/f': 'one' }],
  [
    'a move of what is edited',
    'unlink in staging',
    move,
    (ann: Bound) => fs.writeFileSync(ann.path('d/f'), 'two'),
    { ...before, 'd/f': 'two' },
  ],
] as const)(
  '[CR18] of what is half done of %s by others, as long as the disk refuses %s, nothing is sent',
  async (_, what, act, actMore, want) => {
    const { ann, bob, sent, refuse, allow } = await annAndBob(what)
    await refuse(act)
    await looked(bob)
    expect(sent()).toEqual([])
    actMore?.(ann)
    await ann.binding.settled()
    await allow()
    expect(sent()).toEqual([])
    expect([onDisk(bob.directory), onDisk(ann.directory)]).toEqual([want, want])
  },
  60_000,
)

test('[CR18] [FB1] what its user moves to where something is half done was deleted by nobody', async () => {
  const { ann, bob, sent, refuse, allow } = await annAndBob('lstat in the trash')
  await refuse(edit)
  fs.renameSync(bob.path('x'), bob.path('f'))
  await looked(bob)
  // Longer than what is missing is waited for.
  const untilMs = Date.now() + 3_000
  while (Date.now() < untilMs) await looked(bob)
  expect(sent()).toEqual([])
  await allow()
  expect(sent().filter((line) => line.startsWith('delete'))).toEqual([])
  expect(onDisk(bob.directory)).toEqual(onDisk(ann.directory))
  expect(Object.values(onDisk(ann.directory)).sort()).toEqual(['/', 'in', 'two', 'x'])
}, 60_000)

test('[CR18] what its user makes where something is half done is found when that is settled', async () => {
  const { ann, bob, refuse, allowAlone } = await annAndBob('lstat in the trash')
  await refuse(edit)
  fs.writeFileSync(bob.path('f'), 'of bob')
  await looked(bob)
  allowAlone()
  const contents = () => Object.values(onDisk(ann.directory)).sort()
  await expect.poll(contents, { timeout: 20_000 }).toEqual(['/', 'in', 'of bob', 'two', 'x'])
}, 60_000)
