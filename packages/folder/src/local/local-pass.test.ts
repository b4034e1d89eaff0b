import type { EntryKey } from '@tidemark/engine'
import { ROOT } from '@tidemark/protocol'
import { expect, test } from 'vitest'
import { Problems } from '../problems.js'
import type { SyncedRow } from '../rows.js'
import { IgnoreRules } from '../scan/ignore-rules.js'
import { Hints } from '../watch/hints.js'
import { Absences } from './absences.js'
import type { LargeFiles } from './large-files.js'
import { type LocalPassOptions, runLocalPass } from './local-pass.js'
import type { PushContext } from './push-context.js'
import { RefusedFiles } from './refused.js'
import { Retries } from './retries.js'

const NOW_MS = 10_000
/** More than a call takes as arguments. */
const MANY = 200_000

const rowOf = (key: string, name: string, kind: 'file' | 'dir'): SyncedRow =>
  ({ key, dir: ROOT, localName: name, entry: { kind }, fingerprint: { ino: key } }) as unknown as SyncedRow

/** A pass over an empty folder in which a directory of `MANY` files stood. */
function passOptions(mayDelete: LocalPassOptions['mayDelete'], kindThere?: 'file'): LocalPassOptions {
  const root = { dev: '1', ino: '1' }
  const directory = rowOf('d', 'd', 'dir')
  const children = new Map(Array.from({ length: MANY }, (_, i) => [`${i}`, rowOf(`f${i}`, `${i}`, 'file')]))
  const rows = {
    inDirectory: async (key: EntryKey) => (key === ROOT ? new Map([['d', directory]]) : children),
    localPathOf: async () => 'd',
    byInodes: async () => new Map(),
    getMany: async () => [],
  }
  const there = kindThere && { kind: kindThere, dev: '1', ino: '2', nlink: 1 }
  const context = {
    directory: '/folder',
    rows,
    files: {
      lstat: (path: string) => (path === '/folder' ? { kind: 'dir', ...root } : there),
      readdir: () => (there ? [Buffer.from('d')] : []),
    },
    problems: new Problems(),
    refused: new RefusedFiles(),
  } as unknown as PushContext
  const absences = new Absences()
  absences.update(new Map([['d', '']]), () => false, 0)
  const hints = new Hints()
  hints.addFull(0)
  return {
    context,
    large: {} as LargeFiles,
    retries: new Retries(),
    isImport: false,
    signal: new AbortController().signal,
    hints: hints.take(),
    rules: new IgnoreRules(),
    watcher: undefined,
    root,
    absences,
    unclear: new Absences(),
    monotonicMs: () => NOW_MS,
    isOffline: false,
    isHeld: false,
    underWay: { keys: new Set(), paths: new Set() },
    mayDelete,
  }
}

test.each([
  ['is removed', undefined],
  ['is replaced by a file', 'file' as const],
])('of a directory that %s any number of files may have stood in', async (_, kindThere) => {
  const asked: number[] = []
  const mayDelete: LocalPassOptions['mayDelete'] = async ({ length }) => {
    asked.push(length)
    return false
  }
  await runLocalPass(passOptions(mayDelete, kindThere))
  expect(asked).toEqual([MANY + 1])
})
