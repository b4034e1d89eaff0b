import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { nodeFileSystem } from '../adapters/node-file-system.js'
import { LargeFiles } from './large-files.js'

test('a file that went away while it was stored is forgotten, and is not on its way for ever', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'tidemark-large-'))
  const settled: string[] = []
  const files = new LargeFiles({
    files: nodeFileSystem,
    directory,
    clock: { nowMs: Date.now },
    onSettled: (path) => settled.push(path),
    space: {
      chunk: () => Promise.reject(new Error('it is stored')),
      store: async () => {
        rmSync(join(directory, 'big'))
        throw new Error('gone')
      },
    },
  })
  try {
    writeFileSync(join(directory, 'big'), Buffer.alloc(300_000))
    expect(files.take('big', nodeFileSystem.lstat(join(directory, 'big'))!, true)).toBeUndefined()
    expect(files.settled).toEqual([])
    files.forget(['big'])
    expect(files.pending).toBe(1)
    await vi.waitFor(() => expect(settled).toEqual(['big']))
    files.forget(files.settled)
    expect(files.pending).toBe(0)
  } finally {
    await files.close()
    rmSync(directory, { recursive: true })
  }
})
