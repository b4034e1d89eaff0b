import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Space } from '@tidemark/engine'
import type { FolderBinding, FolderStatus, Problem } from '@tidemark/folder'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { runAccept, runRevert } from './commands/decide.js'
import { type ControlServer, serveControl } from './control.js'
import { controlRoutes } from './control-routes.js'
import { statePaths } from './state-paths.js'

const HELD = { reason: '/d is not there', deletes: 2, entries: 2 }
const KEPT: Problem = { path: 'f', cause: 'cannot-revert', detail: 'EPERM', fix: 'revert again' }

let home: string
let held: FolderStatus['held']
let problems: readonly Problem[]
/** What a decision leaves held. */
let after: FolderStatus['held']
let server: ControlServer
let printed: string[]

const binding = {
  get status() {
    return { connected: true, held, problems: [] } as unknown as FolderStatus
  },
  async accept() {
    held = after
  },
  async revert() {
    held = after
    return problems
  },
} as unknown as FolderBinding

beforeEach(async () => {
  home = mkdtempSync(join(tmpdir(), 'tidemark-decide-'))
  held = HELD
  after = undefined
  problems = []
  printed = []
  const routes = controlRoutes({ binding, space: {} as Space, report: () => ({}) as never })
  server = await serveControl(statePaths(invocation()).socket, routes)
  for (const stream of ['stdout', 'stderr'] as const) {
    vi.spyOn(process[stream], 'write').mockImplementation((text) => {
      printed.push(`${stream}: ${text}`)
      return true
    })
  }
})
afterEach(async () => {
  vi.restoreAllMocks()
  await server.close()
  rmSync(home, { recursive: true, force: true })
})

const invocation = () => ({ command: 'revert', operands: [home], options: {} })

test('what is decided is said, with exit code 0', async () => {
  expect(await runRevert(invocation())).toBe(0)
  held = HELD
  expect(await runAccept(invocation())).toBe(0)
  expect(printed).toEqual(['stdout: reverted\n', 'stdout: accepted\n'])
})

test('of held deletions a file that stays is named', async () => {
  problems = [KEPT]
  expect(await runRevert(invocation())).toBe(3)
  expect(printed).toEqual(['stdout: reverted\n', 'stderr: tidemark: f stays: EPERM; revert again\n'])
})

test('[LV9] a folder that stays held is not said to be reverted, or accepted, but why it is held', async () => {
  after = HELD
  expect(await runRevert(invocation())).toBe(3)
  expect(await runAccept(invocation())).toBe(3)
  const line = 'stderr: tidemark: the folder stays held: /d is not there\n'
  expect(printed).toEqual([line, line])
})

test('[LV9] a folder that stays held because of one file is not said to be reverted', async () => {
  after = HELD
  problems = [KEPT]
  expect(await runRevert(invocation())).toBe(3)
  expect(printed).toEqual([
    'stderr: tidemark: the folder stays held: /d is not there\n',
    'stderr: tidemark: f stays: EPERM; revert again\n',
  ])
})
