import * as fs from 'node:fs'
import { MemoryKeyValueStore, openReplica, type Space } from '@tidemark/engine'
import { nodePlatform } from '@tidemark/engine/node'
import type { Hub } from '@tidemark/server-reference'
import { webSocketTransport } from '@tidemark/transport-ws'
import { expect, test } from 'vitest'
import { nodeFileSystem } from '../src/adapters/node-file-system.js'
import { atEnd, type Bound, bind, bindOn, hub, onDisk, paths } from './fixture.js'

type Look = 'lstat' | 'readdir' | 'readFile'

/** A disk of which one call of this kind about such a path, made from within such a function, fails when `arm` was called. */
function failingOnce(call: Look, end: string, within: string) {
  let left = 0
  const files: typeof nodeFileSystem = {
    ...nodeFileSystem,
    [call](path: string) {
      if (left > 0 && path.endsWith(end) && new Error().stack!.includes(within)) {
        left--
        throw Object.assign(new Error('EIO'), { code: 'EIO' })
      }
      return nodeFileSystem[call](path)
    },
  }
  const arm = () => {
    left = 1
  }
  return { files, arm, hasFailed: () => left === 0 }
}

/** `d/secret.mine` is ann's, and hidden by rules that bob has made. */
async function hideIn(theHub: Hub, ann: Bound): Promise<Bound> {
  const bob = await bind({ hub: theHub })
  fs.mkdirSync(bob.path('d'))
  fs.writeFileSync(bob.path('d/.tidemarkignore'), '*.mine\n')
  await bob.binding.settled()
  await expect.poll(() => fs.existsSync(ann.path('d/.tidemarkignore')), { timeout: 5000 }).toBe(true)
  fs.writeFileSync(ann.path('d/secret.mine'), 'secret')
  await ann.binding.settled()
  return bob
}

/** A program without a folder. */
async function programOn(theHub: Hub): Promise<Space> {
  const replica = await openReplica({ storage: new MemoryKeyValueStore(), platform: nodePlatform })
  atEnd(() => replica.close())
  replica.connect(webSocketTransport(theHub.url))
  return replica.openSpace('default')
}

/** All is over, and only ann has anything. @param other Where nothing is. */
async function expectHidden(ann: Bound, other: Space, directory: string): Promise<void> {
  // It would be sent by then, and told.
  await ann.binding.settled()
  await expect.poll(() => paths(other), { timeout: 5000 }).toEqual([])
  expect(onDisk(ann.directory)).toEqual({
    [directory]: '/',
    [`${directory}/.tidemarkignore`]: '*.mine\n',
    [`${directory}/secret.mine`]: 'secret',
  })
  await ann.binding.settled()
  expect(await paths(ann.space)).not.toContain(`${directory}/secret.mine`)
  expect(await paths(other)).toEqual([])
}

test.each([
  ['readdir', '/d', 'holdsUnsynced'],
  ['lstat', '/d/secret.mine', 'holdsUnsynced'],
  ['lstat', '/d', 'holdsUnsynced'],
] as const)(
  '[FB14] where others delete a directory, and looking at it fails once (%s of %s), what is ignored in it is not sent',
  async (call, end, within) => {
    const { files, arm, hasFailed } = failingOnce(call, end, within)
    const theHub = await hub()
    const ann = await bindOn({ files }, { hub: theHub })
    const bob = await hideIn(theHub, ann)
    arm()
    fs.rmSync(bob.path('d'), { recursive: true })
    await bob.binding.settled()
    await expect.poll(hasFailed, { timeout: 5000 }).toBe(true)
    await expectHidden(ann, bob.space, 'd')
  },
  30_000,
)

test.each([
  ['readdir', '/d'],
  ['readFile', '/d/.tidemarkignore'],
] as const)(
  '[FB14] where the first scan cannot read rules once (%s of %s), what they hide is not sent',
  async (call, end) => {
    const { files, arm, hasFailed } = failingOnce(call, end, 'scanDirectory')
    const theHub = await hub()
    const ann = await bind({ hub: theHub })
    const bob = await hideIn(theHub, ann)
    await ann.binding.close()
    await ann.replica.close()
    fs.rmSync(bob.path('d'), { recursive: true })
    await expect.poll(() => bob.binding.settled().then(() => paths(bob.space)), { timeout: 5000 }).toEqual([])
    arm()
    const again = await bindOn({ files }, { hub: theHub, directory: ann.directory, storage: ann.storage })
    await expect.poll(hasFailed, { timeout: 5000 }).toBe(true)
    await expectHidden(again, bob.space, 'd')
  },
  30_000,
)

test('[FB14] what is ignored in a directory that others rename and then delete is not sent', async () => {
  const theHub = await hub()
  const ann = await bind({ hub: theHub })
  await hideIn(theHub, ann)
  const program = await programOn(theHub)
  await expect.poll(() => program.stat('d/.tidemarkignore'), { timeout: 5000 }).toBeDefined()
  await program.move('d', 'e')
  await expect.poll(() => fs.existsSync(ann.path('e')), { timeout: 5000, interval: 1 }).toBe(true)
  await program.remove('e', { recursive: true })
  await expectHidden(ann, program, 'e')
}, 30_000)
