import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type Ended, type Hub, TOKEN, until, type World } from './support/processes.js'
import { readTree } from './support/trees.js'
import { twoFolders } from './support/two-folders.js'

let world: World
let hub: Hub
let a: string
let b: string
beforeEach(async () => {
  ;({ world, hub, a, b } = await twoFolders())
})
afterEach(async ({ task }) => {
  if (task.result?.state === 'fail') {
    for (const folder of [a, b])
      process.stdout.write(`${(await world.run(['status', folder, '--json'])).stdout}\n`)
  }
  await world.close()
})

const textOf = (path: string): string | undefined =>
  existsSync(path) ? readFileSync(path, 'utf8') : undefined
const fill = (folder: string, count: number): void => {
  for (let i = 0; i < count; i++) writeFileSync(join(folder, `${i}.txt`), `file ${i}`)
}
const state = async (folder: string): Promise<string> => (await world.status(folder)).state
const idle = (folder: string): Promise<number> =>
  until(`${folder} is idle`, async () => (await state(folder)) === 'idle')

describe('two live folders', () => {
  test('[LV1] edits, renames and deletes go both ways while both run', async () => {
    world.live(a, hub)
    world.live(b, hub)
    writeFileSync(join(a, 'x.txt'), 'from a')
    await until('x arrives', () => textOf(join(b, 'x.txt')) === 'from a')
    writeFileSync(join(b, 'x.txt'), 'from b')
    await until('the edit arrives', () => textOf(join(a, 'x.txt')) === 'from b')
    mkdirSync(join(a, 'dir'))
    fill(join(a, 'dir'), 20)
    await until('the files arrive', () => existsSync(join(b, 'dir/19.txt')))
    await idle(a)
    await idle(b)
    renameSync(join(b, 'dir'), join(b, 'renamed'))
    await until(
      'the rename arrives',
      () => existsSync(join(a, 'renamed/19.txt')) && !existsSync(join(a, 'dir')),
    )
    rmSync(join(a, 'x.txt'))
    await until('the delete arrives', () => !existsSync(join(b, 'x.txt')))
    expect(readTree(b)).toEqual(readTree(a))
  })

  test('[LV1] edits below a directory that the other side made or moved travel, on both sides', async () => {
    mkdirSync(join(a, 'top/sub/deep'), { recursive: true })
    writeFileSync(join(a, 'top/sub/deep/f.txt'), 'base')
    world.live(a, hub)
    world.live(b, hub)
    await until('the file arrives', () => existsSync(join(b, 'top/sub/deep/f.txt')))
    await idle(a)
    await idle(b)
    writeFileSync(join(b, 'top/sub/deep/f.txt'), 'edited in what others made')
    await until(
      'the edit arrives',
      () => textOf(join(a, 'top/sub/deep/f.txt')) === 'edited in what others made',
    )
    renameSync(join(b, 'top'), join(b, 'moved'))
    await until('the rename arrives', () => existsSync(join(a, 'moved/sub/deep/f.txt')))
    await idle(a)
    await idle(b)
    for (const [here, there] of [
      [a, b],
      [b, a],
    ] as const) {
      writeFileSync(join(here, 'moved/sub/deep/f.txt'), `edited on ${here}`)
      await until(
        'the edit arrives',
        () => textOf(join(there, 'moved/sub/deep/f.txt')) === `edited on ${here}`,
      )
    }
  })

  test('[LV2, FB13] status says idle when both ends hold the same, with the process that runs', async () => {
    fill(a, 5)
    const running = world.live(a, hub)
    await until('the control socket answers', async () => (await state(a).catch(() => '')) !== '')
    await idle(a)
    const report = await world.status(a)
    expect(report).toMatchObject({
      connected: true,
      pending: 0,
      pid: running.child.pid,
      problems: [],
      held: null,
    })
    expect(await running.stop()).toBe(0)
    expect(await world.status(a)).toMatchObject({ state: 'stopped', connected: false, pid: null })
  })

  test('[LV3] SIGTERM ends a sync within two seconds, with exit code 0', async () => {
    fill(a, 50)
    const running = world.live(a, hub)
    await until('it runs', () => running.lines.some((line) => line.startsWith('connected')))
    const began = performance.now()
    expect(await running.stop()).toBe(0)
    expect(performance.now() - began).toBeLessThan(2_000)
  })

  test('[LV4] a second sync on the same folder is refused, with and without another state, and harms nothing', async () => {
    const first = world.live(a, hub)
    await until('the first is idle', async () => (await state(a).catch(() => '')) === 'idle')
    for (const extra of [[], ['--state', world.path('elsewhere')]]) {
      const second = await world.run(['sync', a, '--hub', hub.url, '--token', TOKEN, ...extra])
      expect(second.code, second.stderr).toBe(1)
      expect(second.stderr).toMatch(/in sync already/)
    }
    world.live(b, hub)
    writeFileSync(join(a, 'x.txt'), 'still alive')
    await until('x arrives', () => textOf(join(b, 'x.txt')) === 'still alive')
    expect(first.child.exitCode).toBeNull()
  })

  test('[LV5] while the hub is away edits stay local and status says offline; they travel when it is back', async () => {
    fill(a, 3)
    world.live(a, hub)
    world.live(b, hub)
    await until('the files arrive', () => existsSync(join(b, '2.txt')))
    await hub.kill()
    await until('a notices', async () => (await state(a)) === 'offline')
    writeFileSync(join(a, '0.txt'), 'edited while away')
    writeFileSync(join(b, '1.txt'), 'edited while away too')
    hub = await world.hub(hub.port)
    await until('both edits arrive', () => {
      return (
        textOf(join(b, '0.txt')) === 'edited while away' &&
        textOf(join(a, '1.txt')) === 'edited while away too'
      )
    })
    await idle(a)
    await idle(b)
    expect(readTree(b)).toEqual(readTree(a))
  })
})

describe('a folder that holds files already', () => {
  test('[FB12] equal files are bound without a copy, a different one becomes a conflict copy', async () => {
    for (const folder of [a, b]) {
      mkdirSync(join(folder, 'dir'))
      fill(join(folder, 'dir'), 30)
      writeFileSync(join(folder, 'differs.txt'), `as on ${folder === a ? 'a' : 'the other one, b'}`)
    }
    writeFileSync(join(b, 'only-b.txt'), 'only b')
    await world.once(a, hub)
    await world.once(b, hub)
    await world.once(a, hub)
    expect(readTree(b)).toEqual(readTree(a))
    const names = readdirSync(a).filter((name) => name !== '.tidemark')
    expect(names.filter((name) => name.startsWith('differs (conflict '))).toHaveLength(1)
    expect(names.filter((name) => !name.includes('(')).sort()).toEqual(['differs.txt', 'dir', 'only-b.txt'])
    expect(readdirSync(join(a, 'dir'))).toHaveLength(30)
    expect(textOf(join(a, 'differs.txt'))).toBe('as on a')
  })

  test('[FB12] a folder whose database was lost binds again to what it holds', async () => {
    fill(a, 30)
    await world.once(a, hub)
    await world.once(b, hub)
    rmSync(join(a, '.tidemark'), { recursive: true })
    writeFileSync(join(b, '0.txt'), 'edited on b meanwhile')
    await world.once(b, hub)
    await world.once(a, hub)
    await world.once(b, hub)
    expect(readTree(b)).toEqual(readTree(a))
    expect(textOf(join(a, '0.txt'))).toBe('edited on b meanwhile')
  })
})

describe('holds', () => {
  const deletes = ['--max-delete', '5']
  const removeTen = (): void => {
    for (let i = 0; i < 10; i++) rmSync(join(a, `${i}.txt`))
  }

  test('[LV6] deleting more than --max-delete is held; revert brings the files back', async () => {
    fill(a, 20)
    world.live(a, hub, deletes)
    world.live(b, hub)
    await until('the files arrive', () => existsSync(join(b, '19.txt')))
    await idle(a)
    removeTen()
    await until('a is held', async () => (await state(a)) === 'held')
    expect((await world.status(a)).held).toMatchObject({ deletes: 10 })
    writeFileSync(join(b, 'x.txt'), 'meanwhile')
    await idle(b)
    expect(existsSync(join(b, '0.txt'))).toBe(true)
    expect((await world.run(['revert', a])).code).toBe(0)
    await until('the files are back', () => existsSync(join(a, '0.txt')) && existsSync(join(a, '9.txt')))
    await idle(a)
    expect(readTree(a)).toEqual(readTree(b))
  })

  test('[LV6] accept lets the held deletes go; --once leaves them held with exit code 3', async () => {
    fill(a, 20)
    await world.once(a, hub)
    await world.once(b, hub)
    removeTen()
    expect(await world.once(a, hub, { extra: deletes })).toBe(3)
    world.live(b, hub)
    world.live(a, hub, deletes)
    await until('a is held', async () => (await state(a).catch(() => '')) === 'held')
    expect(existsSync(join(b, '0.txt'))).toBe(true)
    expect((await world.run(['accept', a])).code).toBe(0)
    const names = (folder: string) => readdirSync(folder).sort().join()
    await until('the deletes arrive', () => names(a) === names(b))
    expect(existsSync(join(b, '0.txt'))).toBe(false)
  })
})

describe('commands', () => {
  test('[LV7] ls, conflicts and cat say the same whether sync runs or not', async () => {
    mkdirSync(join(a, 'dir'))
    writeFileSync(join(a, 'dir/x.txt'), 'base')
    await world.once(a, hub)
    await world.once(b, hub)
    writeFileSync(join(a, 'dir/x.txt'), 'left')
    writeFileSync(join(b, 'dir/x.txt'), 'right side')
    for (const folder of [a, b, a]) await world.once(folder, hub)
    const look = async (): Promise<Ended[]> => [
      await world.run(['ls', a, '--json']),
      await world.run(['ls', a, 'dir', '--json']),
      await world.run(['conflicts', a, '--json']),
      await world.run(['cat', a, 'dir/x.txt']),
    ]
    const stopped = await look()
    expect(stopped.map(({ code, stderr }) => `${code}${stderr}`)).toEqual(['0', '0', '0', '0'])
    expect(JSON.parse(stopped[0]!.stdout)).toEqual([{ path: 'dir', kind: 'dir', size: 0, role: 'main' }])
    const [copy, main] = JSON.parse(stopped[1]!.stdout)
    expect(main).toMatchObject({ path: 'dir/x.txt', kind: 'file', role: 'main' })
    expect(copy).toMatchObject({ kind: 'file', role: 'conflict' })
    expect(copy.path).toMatch(/^dir\/x \(conflict .+\)\.txt$/)
    expect(JSON.parse(stopped[2]!.stdout)).toEqual([copy])
    world.live(a, hub)
    await until('it runs', async () => (await state(a).catch(() => '')) === 'idle')
    expect(await look()).toEqual(stopped)
    writeFileSync(join(a, 'dir/y.txt'), 'new')
    const explain = async (path: string) => (await world.run(['explain', a, path])).stdout
    await until('the new file is explained', async () => /create/.test(await explain('dir/y.txt')))
    expect(await explain('dir/x.txt')).toContain('nothing was done')
  })

  test('[LV8] a folder stays with its space and its hub', async () => {
    await world.once(a, hub)
    const other = await world.run([
      'sync',
      a,
      '--hub',
      hub.url,
      '--token',
      TOKEN,
      '--space',
      'other',
      '--once',
    ])
    expect(other).toMatchObject({ code: 1, stderr: expect.stringContaining('bound to space "default"') })
    const elsewhere = await world.run(['sync', a, '--hub', 'ws://127.0.0.1:1', '--token', TOKEN, '--once'])
    expect(elsewhere).toMatchObject({ code: 1, stderr: expect.stringContaining('bound to the hub') })
  })

  test('[LV8] spaces of one hub are apart', async () => {
    writeFileSync(join(a, 'x.txt'), 'private')
    await world.once(a, hub, { extra: ['--space', 'one'] })
    await world.once(b, hub, { extra: ['--space', 'two'] })
    expect(readTree(b)).toEqual({})
  })

  test('[LV9] a wrong token and a hub that is not there, or not any more, are failures of --once with their reason', async () => {
    const wrong = await world.run(['sync', a, '--hub', hub.url, '--token', 'guessed', '--once'])
    expect(wrong.code).toBe(1)
    expect(wrong.stderr).toMatch(/UNAUTHENTICATED/)
    const dialling = world.run(['sync', b, '--hub', 'ws://127.0.0.1:1', '--token', TOKEN, '--once'])
    writeFileSync(join(a, 'slow.bin'), Buffer.alloc(1_000_000, 'slow'))
    const left = world.live(a, hub, ['--once', '--limit-up', '1K', '--compression', 'off'])
    const ended = once(left.child, 'close', { signal: AbortSignal.timeout(50_000) })
    await until('it is connected', () => left.lines.some((line) => line.startsWith('connected')))
    await hub.kill()
    const nowhere = await dialling
    expect(nowhere.code).toBe(1)
    expect(nowhere.stderr).toMatch(/no connection to ws:\/\/127\.0\.0\.1:1 within 30 s/)
    expect(await ended).toEqual([1, null])
    expect(left.errors.join()).toMatch(/no connection to .* within 30 s/)
  })

  test('[LV9] a wrong command line is exit code 2, and a missing folder that was bound is not made anew', async () => {
    expect((await world.run(['sync'])).code).toBe(2)
    expect((await world.run(['hub', '--port', '99999', '--data', world.path('h')])).code).toBe(2)
    await world.once(a, hub, { extra: ['--state', world.path('state')] })
    rmSync(a, { recursive: true })
    const missing = await world.run(['sync', a, '--hub', hub.url, '--once', '--state', world.path('state')])
    expect(missing).toMatchObject({ code: 1, stderr: expect.stringContaining('is missing') })
    expect(existsSync(a)).toBe(false)
  })

  test('[LV9] a state in the folder that is kept in sync is refused before anything is made', async () => {
    const extra = ['--hub', hub.url, '--token', TOKEN, '--once', '--state', join(a, 'state')]
    expect(await world.run(['sync', a, ...extra])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('name a place outside'),
    })
    expect(existsSync(join(a, 'state'))).toBe(false)
  })

  test('[LV9] problems are printed by --once, and explained while sync runs', async () => {
    execFileSync('mkfifo', [join(a, 'pipe')])
    const once = await world.run(['sync', a, '--hub', hub.url, '--token', TOKEN, '--once'])
    expect(once).toMatchObject({ code: 3, stdout: expect.stringContaining('problem pipe (special-file: ') })
    world.live(a, hub)
    await until('it is idle', async () => (await state(a).catch(() => '')) === 'idle')
    expect((await world.run(['explain', a, 'pipe'])).stdout).toContain('problem now: special-file')
  })

  test('[LV9] where nothing is held, accept and revert say so', async () => {
    world.live(a, hub)
    await until('it is idle', async () => (await state(a).catch(() => '')) === 'idle')
    for (const command of ['accept', 'revert']) {
      expect(await world.run([command, a])).toMatchObject({ code: 1, stderr: 'tidemark: nothing is held' })
    }
  })

  test('[LV9] a token that is refused is what status gives as the reason', async () => {
    world.live(a, hub, ['--token', 'guessed'])
    await until('the reason is known', async () =>
      /UNAUTHENTICATED/.test((await world.status(a).catch(() => undefined))?.detail ?? ''),
    )
    expect((await world.status(a)).state).toBe('offline')
  })

  test('[FB9] a folder within a synced folder keeps its own state to itself', async () => {
    fill(a, 2)
    mkdirSync(join(a, 'inner'))
    writeFileSync(join(a, 'inner', 'x.txt'), 'x')
    expect(await world.once(join(a, 'inner'), hub, { extra: ['--space', 'inner'] })).toBe(0)
    expect(await world.once(a, hub)).toBe(0)
    expect(await world.once(b, hub)).toBe(0)
    expect(readdirSync(join(b, 'inner'))).toEqual(['x.txt'])
  })

  test('[LV9] a hub without a token listens on this machine only', async () => {
    const open = await world.run(['hub', '--port', '0', '--host', '0.0.0.0', '--data', world.path('open')])
    expect(open).toMatchObject({ code: 1, stderr: expect.stringContaining('UNSAFE_CONFIG') })
  })
})
