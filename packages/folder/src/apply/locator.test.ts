import { ROOT } from '@tidemark/protocol'
import { expect, test } from 'vitest'
import { nodeFileSystem } from '../adapters/node-file-system.js'
import type { FileSystem } from '../ports/file-system.js'
import type { SyncedRow } from '../rows.js'
import { Locator } from './locator.js'

test('[FB1] a directory that may not be looked at is not sound, and looking at it is no failure', () => {
  const files: FileSystem = {
    ...nodeFileSystem,
    lstat: (path) => {
      if (path.endsWith('/inner')) throw Object.assign(new Error('EACCES'), { code: 'EACCES' })
      return { kind: 'dir', dev: '1', ino: '2' } as ReturnType<FileSystem['lstat']>
    },
  }
  const row = (key: string, dir: string, localName: string) =>
    ({ key, dir, localName, fingerprint: { dev: '1', ino: '2' } }) as SyncedRow
  const rows = [row('outer', ROOT, 'outer'), row('inner', 'outer', 'inner')]
  const locator = new Locator(files, '/folder', '/folder/.tidemark/staging', undefined, rows)
  expect(locator.unsound('outer')).toBeUndefined()
  expect(locator.unsound('inner')).toBe('outer')
})
