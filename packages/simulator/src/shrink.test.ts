import { expect, test } from 'vitest'
import type { PlantedBug } from './planted-bug.js'
import { formatScript, parseScript } from './script.js'
import { shrink } from './shrink.js'
import { replay } from './simulate.js'
import { SimulationError } from './simulation-error.js'

/** A folder that does not see files called `c`. */
const blindForC: PlantedBug = {
  name: 'blind-for-c',
  about: 'Files of that name are not there.',
  files: (files) =>
    new Proxy(files, {
      get(target, property) {
        if (property === 'readdir')
          return (path: string) => target.readdir(path).filter((name) => String(name) !== 'c')
        const value: unknown = Reflect.get(target, property)
        return typeof value === 'function' ? value.bind(target) : value
      },
    }),
}

const LONG = parseScript(`
  seed 4
  devices ann bob cyd
  ann create a
  wait 400
  bob edit a
  ann mkdir d
  cut bob
  wait 900
  ann create d/b
  cyd rename d e
  kill ann
  ann create d/c
  start ann
  wait 3000
  bob save a
  power bob 12
  start bob
`)

test('a failing script is cut to what it fails by', async () => {
  const { script, rule } = await shrink(LONG, { planted: blindForC, patienceMs: 10_000 })
  expect(rule).toBe('unequal')
  expect(formatScript(script).split('\n').slice(2)).toEqual(['ann mkdir d', 'ann create d/c'])
  await expect(replay(script, { planted: blindForC, patienceMs: 10_000 })).rejects.toBeInstanceOf(
    SimulationError,
  )
  await replay(script)
})

test('a script that breaks no rule is not cut', async () => {
  await expect(shrink(parseScript('devices ann bob\nann create a'))).rejects.toBeInstanceOf(TypeError)
})
