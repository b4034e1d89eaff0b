import { type ChunkId, type DeviceId, parseSpaceName, ROOT } from '@tidemark/protocol'
import { describe, expect, test } from 'vitest'
import { MemoryKeyValueStore } from '../adapters/memory-store.js'
import type { NewContent, UserOp } from '../core/user-op.js'
import { entryKey } from '../core/view-entry.js'
import { nodePlatform } from '../node/index.js'
import { SpaceDatabase } from './space-database.js'

const content = (target?: string): NewContent => {
  const file = { root: 'ab'.repeat(32) as ChunkId, height: 0, size: 3, mtimeMs: 1 }
  return target === undefined ? file : { ...file, target }
}

async function open(): Promise<SpaceDatabase> {
  const { clock, random, hasher } = nodePlatform
  return SpaceDatabase.open({
    storage: new MemoryKeyValueStore(),
    space: parseSpaceName('photos'),
    device: 'a'.repeat(16) as DeviceId,
    mode: 'direct',
    clock,
    random,
    sha256: (bytes) => hasher.sha256(bytes),
  })
}

const create = (kind: 'file' | 'symlink', of: NewContent): UserOp => ({
  type: 'create',
  ref: 'new',
  parent: { node: ROOT },
  name: 'n',
  kind,
  content: of,
})

describe('what no peer takes is not written', () => {
  test.each<[string, 'file' | 'symlink', NewContent]>([
    ['a symlink without a target', 'symlink', content()],
    ['a symlink to an empty target', 'symlink', content('')],
    ['a symlink to a target with NUL', 'symlink', content('a\0b')],
    ['a file with a target', 'file', content('x')],
  ])('%s', async (_, kind, bad) => {
    const database = await open()
    await expect(database.commit([create(kind, bad)])).rejects.toThrow(TypeError)
    const { created } = await database.commit([create(kind, content(kind === 'symlink' ? 'x' : undefined))])
    for (const type of ['edit', 'adopt'] as const) {
      const op: UserOp = { type, entry: entryKey(created.get('new')!), content: bad }
      await expect(database.commit([op])).rejects.toThrow(TypeError)
    }
  })
})
