import { spawnSync } from 'node:child_process'
import { describe, expect, test } from 'vitest'
import { filesBelow, ROOT } from './repository.js'

/** The vectors as another language reads them. Left out, and said so, where there is no Python. */
const hasPython = spawnSync('python3', ['--version']).status === 0
const readers = filesBelow('packages', ['check.py'])

describe.skipIf(!hasPython)('second readers', () => {
  test('there is one for the wire and one for the engine', () => {
    expect(readers).toEqual([
      'packages/engine/test/vectors/check.py',
      'packages/protocol/test/vectors/check.py',
    ])
  })

  for (const reader of readers) {
    test(`${reader} agrees with every vector`, () => {
      const { status, stdout, stderr } = spawnSync('python3', ['-B', reader], { cwd: ROOT, encoding: 'utf8' })
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
      expect(stdout).toMatch(/^[1-9]\d* comparisons, all equal\n$/)
    })
  }
})
