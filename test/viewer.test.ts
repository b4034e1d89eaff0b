import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type Hub, until, World } from './support/processes.js'
import { paths, readTree } from './support/trees.js'

const READER = 'token-of-the-viewer'
const AS_VIEWER = ['--token', READER]

let world: World
let hub: Hub
let a: string
let viewer: string
beforeEach(async () => {
  world = new World()
  allow('read')
  hub = await world.hub(0, ['--tokens', world.path('tokens.json')])
  a = world.path('a')
  viewer = world.path('viewer')
  mkdirSync(join(a, 'dir'), { recursive: true })
  mkdirSync(viewer)
  for (const name of ['one.txt', 'two.txt', 'three.txt', 'dir/four.txt']) writeFileSync(join(a, name), name)
})
afterEach(async ({ task }) => {
  if (task.result?.state === 'fail') {
    for (const folder of [a, viewer])
      process.stdout.write(`${(await world.run(['status', folder, '--json'])).stdout}\n`)
  }
  await world.close()
})

function allow(access: 'read' | 'write'): void {
  const tokens = [{ token: READER, subject: 'viewer', spaces: '*', access }]
  writeFileSync(world.path('tokens.json'), JSON.stringify({ tokens }))
}

const textOf = (path: string): string | undefined =>
  existsSync(path) ? readFileSync(path, 'utf8') : undefined
const stateOf = async (folder: string): Promise<string> =>
  (await world.status(folder).catch(() => undefined))?.state ?? ''
const sessions = (): number => hub.log.filter((line) => line.includes('session-accepted')).length

/** Every kind of local change. */
function change(): void {
  writeFileSync(join(viewer, 'one.txt'), 'edited by the viewer')
  rmSync(join(viewer, 'two.txt'))
  renameSync(join(viewer, 'three.txt'), join(viewer, 'moved.txt'))
  renameSync(join(viewer, 'dir'), join(viewer, 'renamed'))
  mkdirSync(join(viewer, 'new'))
  writeFileSync(join(viewer, 'new/five.txt'), 'made by the viewer')
}

/** Runs both, changes things at the viewer's, and waits until it says so. */
async function holdingViewer(): Promise<void> {
  world.live(a, hub)
  world.live(viewer, hub, AS_VIEWER)
  await until('the viewer has the files', () => existsSync(join(viewer, 'dir/four.txt')))
  await until('the viewer is idle', async () => (await stateOf(viewer)) === 'idle')
  change()
  await until('the changes are held', async () => {
    const { state, problems } = await world.status(viewer)
    return state === 'held' && problems.length === 5
  })
}

describe('a device that may only read', () => {
  test('[AC2] keeps local changes, says that they are not sent, goes on receiving, and does not dial again', async () => {
    await holdingViewer()
    const status = await world.status(viewer)
    expect(status).toMatchObject({ connected: true })
    expect(status.held?.reason).toContain('may only read')
    expect(status.problems.map(({ cause }) => cause)).toEqual(Array(5).fill('read-only'))
    expect(status.problems.map(({ path }) => path)).toEqual([
      'moved.txt',
      'new',
      'one.txt',
      'renamed',
      'two.txt',
    ])
    const before = sessions()
    writeFileSync(join(a, 'later.txt'), 'from a')
    await until('it arrives', () => textOf(join(viewer, 'later.txt')) === 'from a')
    writeFileSync(join(a, 'one.txt'), 'edited by a')
    writeFileSync(join(a, 'last.txt'), 'last')
    await until('it arrives', () => existsSync(join(viewer, 'last.txt')))
    expect(textOf(join(viewer, 'one.txt'))).toBe('edited by the viewer')
    expect(existsSync(join(viewer, 'moved.txt'))).toBe(true)
    expect(existsSync(join(a, 'moved.txt'))).toBe(false)
    expect(textOf(join(a, 'two.txt'))).toBe('two.txt')
    expect(sessions()).toBe(before)
    const accept = await world.run(['accept', viewer])
    expect(accept.code).toBe(1)
    expect(accept.stderr).toContain('FORBIDDEN')
  })

  test('[AC2] revert moves local changes to the trash, and the state of the space comes back', async () => {
    await holdingViewer()
    expect((await world.run(['revert', viewer])).code).toBe(0)
    await until('the viewer is idle', async () => (await stateOf(viewer)) === 'idle')
    expect(readTree(viewer)).toEqual(readTree(a))
    const trash = join(viewer, '.tidemark/trash')
    const kept = paths(readTree(trash)).filter((path) => path.endsWith('.txt'))
    expect(kept.map((path) => textOf(join(trash, path))).sort()).toEqual([
      'edited by the viewer',
      'made by the viewer',
    ])
    expect((await world.status(viewer)).problems).toEqual([])
  })

  test('[AC2] sends what it changed once its token allows to write', async () => {
    await holdingViewer()
    await hub.stop()
    allow('write')
    hub = await world.hub(hub.port, ['--tokens', world.path('tokens.json')])
    await until('the edit arrives', () => textOf(join(a, 'one.txt')) === 'edited by the viewer')
    await until('all arrives', () => existsSync(join(a, 'new/five.txt')) && !existsSync(join(a, 'two.txt')))
    for (const folder of [viewer, a]) {
      await until(`${folder} is idle`, async () => (await stateOf(folder)) === 'idle')
    }
    expect(readTree(a)).toEqual(readTree(viewer))
    expect(existsSync(join(a, 'moved.txt')) && existsSync(join(a, 'renamed/four.txt'))).toBe(true)
  })

  test('[AC2] binds a folder that holds a copy already; --once ends held where something differs', async () => {
    await world.once(a, hub)
    for (const name of ['one.txt', 'two.txt']) writeFileSync(join(viewer, name), name)
    expect(await world.once(viewer, hub, { extra: AS_VIEWER })).toBe(0)
    expect(readTree(viewer)).toEqual(readTree(a))
    writeFileSync(join(viewer, 'mine.txt'), 'mine')
    expect(await world.once(viewer, hub, { extra: AS_VIEWER })).toBe(3)
    await world.once(a, hub)
    expect(existsSync(join(a, 'mine.txt'))).toBe(false)
    expect(textOf(join(viewer, 'mine.txt'))).toBe('mine')
  })

  test('[AC1] a space that its token does not allow is the failure of --once, and what status gives as the reason', async () => {
    const tokens = [{ token: READER, subject: 'viewer', spaces: ['other'], access: 'read' }]
    writeFileSync(world.path('tokens.json'), JSON.stringify({ tokens }))
    await hub.stop()
    hub = await world.hub(hub.port, ['--tokens', world.path('tokens.json')])
    const refused = await world.run(['sync', viewer, '--hub', hub.url, ...AS_VIEWER, '--once'])
    expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining('FORBIDDEN') })
    world.live(viewer, hub, AS_VIEWER)
    await until('the reason is known', async () =>
      /FORBIDDEN/.test((await world.status(viewer).catch(() => undefined))?.detail ?? ''),
    )
    expect((await world.status(viewer)).state).toBe('offline')
  })
})
