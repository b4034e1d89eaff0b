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

test('a large file is made durable while it is sent', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'tidemark-large-'))
  let synced: (() => void) | undefined
  const isSynced = new Promise<void>((resolve) => (synced = resolve))
  const files = new LargeFiles({
    files: {
      ...nodeFileSystem,
      open: (path, flags) => {
        const file = nodeFileSystem.open(path, flags)
        const stat = file.stat()
        return { ...file, stat: () => stat, close: () => file.close(), sync: async () => synced?.() }
      },
    },
    directory,
    clock: { nowMs: Date.now },
    onSettled: () => undefined,
    space: {
      chunk: () => Promise.reject(new Error('it is stored')),
      store: async () => {
        await isSynced
        throw new Error('sent as far as this test goes')
      },
    },
  })
  try {
    writeFileSync(join(directory, 'big'), Buffer.alloc(300_000))
    files.take('big', nodeFileSystem.lstat(join(directory, 'big'))!, true)
    await vi.waitFor(() => expect(files.settled).toEqual(['big']))
  } finally {
    await files.close()
    rmSync(directory, { recursive: true })
  }
})
