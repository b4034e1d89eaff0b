import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const CLI = fileURLToPath(new URL('../packages/simulator/dist/cli.js', import.meta.url))

const simulate = (...options: string[]) => {
  const { status, stdout } = spawnSync(process.execPath, [CLI, ...options], { encoding: 'utf8' })
  return { status, stdout, last: stdout.trim().split('\n').at(-1) }
}

test('[SM24] what seeds do does not depend on how many workers run them', () => {
  const [one, three] = ['1', '3'].map((workers) =>
    simulate('--seeds', '71-74', '--steps', '40', '--workers', workers),
  )
  expect(one).toMatchObject({ status: 0, last: expect.stringMatching(/^4 runs, .* 0 failures$/) })
  const told = (last = '') => last.replace(/ in .* workers\)/, '')
  expect(told(three?.last)).toBe(told(one?.last))
})
