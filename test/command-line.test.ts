import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { World } from './support/processes.js'

const fromRoot = (path: string): string => fileURLToPath(new URL(`../${path}`, import.meta.url))
/** Here the system refuses every new directory, whoever asks. */
const NO_PLACE = '/proc/tidemark'

let world: World
beforeEach(() => {
  world = new World()
})
afterEach(() => world.close())

test('[LV9] --version says which version this is', async () => {
  const { version } = JSON.parse(readFileSync(fromRoot('examples/cli/package.json'), 'utf8'))
  expect(await world.run(['--version'])).toMatchObject({ code: 0, stdout: `tidemark ${version}` })
})

describe.runIf(existsSync('/proc/self'))('a place where no directory can be made', () => {
  test('[LV9] ends a hub at once, with the reason', async () => {
    const args = ['hub', '--port', '0', '--data', NO_PLACE, '--token', 't']
    const { code, stderr } = await world.run(args, { timeoutMs: 10_000 })
    expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringContaining('INVALID_CONFIG') })
    expect(stderr).toContain(NO_PLACE)
  })

  test.each([
    ['as folder', [NO_PLACE]],
    ['as --state', ['FOLDER', '--state', NO_PLACE]],
  ])('[LV9] %s ends a sync at once, with the reason', async (_, operands) => {
    const args = operands.map((each) => (each === 'FOLDER' ? world.path('folder') : each))
    const { code, stderr } = await world.run(['sync', ...args, '--hub', 'ws://127.0.0.1:1', '--once'], {
      timeoutMs: 10_000,
    })
    expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringContaining(NO_PLACE) })
  })
})
