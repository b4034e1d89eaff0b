import { SourceChangedError, StoreError } from '@tidemark/protocol'
import { expect, test } from 'vitest'
import { SymlinkTargetError } from './read-content.js'
import { readProblem } from './read-problems.js'

const systemError = (code: string): Error => Object.assign(new Error(code), { code })

test.each([
  ['a refusal of the disk', systemError('EACCES'), 'unreadable', 'it cannot be read (EACCES)'],
  ['a symlink in its place', systemError('ELOOP'), 'changing', 'it is being written'],
  ['a writer', new SourceChangedError('f changed'), 'changing', 'it is being written'],
  ['an odd target', new SymlinkTargetError('not UTF-8'), 'symlink-target', 'where it points is not UTF-8'],
  ['a full hub', new StoreError('the blob store is full', 507), 'not-sent', 'the blob store is full'],
])('%s is a problem of the file, under its own name', (_, error, cause, detail) => {
  expect(readProblem('f', error)).toMatchObject({ path: 'f', cause, detail: expect.stringContaining(detail) })
})

test('a defect is no problem of a file', () => {
  expect(readProblem('f', new TypeError('ours'))).toBeUndefined()
})
