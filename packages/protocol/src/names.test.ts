import { describe, expect, test } from 'vitest'
import { PathError } from './errors.js'
import { checkName, parseRelativePath } from './names.js'

describe('names', () => {
  test.each(['a', '...', 'é', ' ', '\u{1f600}', 'a'.repeat(255), '.tidemark'])('%j is a name', (name) => {
    expect(() => checkName(name)).not.toThrow()
  })

  test.each([
    ['', 'empty'],
    ['.', 'the directory itself'],
    ['..', 'the parent'],
    ['a/b', 'a slash'],
    ['a\0', 'NUL'],
    ['e\u0301', 'NFD'],
    ['\ud800', 'half a surrogate pair'],
    ['a\udc00b', 'half a surrogate pair'],
    ['a'.repeat(256), '256 bytes'],
    ['é'.repeat(128), '256 bytes of UTF-8'],
  ])('%j is no name: %s', (name) => {
    expect(() => checkName(name)).toThrow(PathError)
  })
})

describe('relative paths', () => {
  test('segments are normalized to NFC', () => {
    expect(parseRelativePath('a/e\u0301')).toEqual(['a', '\u00e9'])
    expect(parseRelativePath('')).toEqual([])
  })

  test.each([
    '/a',
    'a//b',
    'a/',
    '../a',
    'a/../b',
    './a',
    '.tidemark',
    '.tidemark/x',
    Array(257).fill('a').join('/'),
  ])('%j is refused', (path) => {
    expect(() => parseRelativePath(path)).toThrow(PathError)
  })
})
