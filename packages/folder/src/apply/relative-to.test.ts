import { join, relative } from 'node:path'
import { expect, test } from 'vitest'
import { relativeTo } from './effects.js'

test('a path is told relative to a directory as `path.relative` tells it', () => {
  const directory = join('/', 'home', 'me')
  for (const path of [
    'home/me/a',
    'home/me/a/b',
    'home/me',
    'home/meadow/a',
    'home',
    'other/me/a',
    'home/me/..a',
  ]) {
    const absolute = join('/', path)
    expect(relativeTo(directory, absolute)).toBe(relative(directory, absolute))
  }
})
