import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { expect, test } from 'vitest'
import { nodeFileSystem } from '../adapters/node-file-system.js'
import type { FileSystem } from '../ports/file-system.js'
import { makeDurable } from './durable.js'

/** Directories that may be entered and not be read. @param all Whether the whole volume can be synced. */
function closed(all: boolean): { readonly files: FileSystem; readonly synced: string[] } {
  const synced: string[] = []
  const refuse = (code: string): never => {
    throw Object.assign(new Error(code), { code })
  }
  const files: FileSystem = {
    ...nodeFileSystem,
    fsync: () => refuse('EACCES'),
    syncAll: async (volume) => void (all ? synced.push(volume) : refuse('ENOENT')),
  }
  return { files, synced }
}

test('[CR18] a directory that may not be read is made durable with the whole volume', async () => {
  const { files, synced } = closed(true)
  await makeDurable(files, ['/v/a', '/v/b'], '/v')
  expect(synced).toEqual(['/v'])
})

test('[CR18] where the volume cannot be synced either nothing is claimed', async () => {
  await expect(makeDurable(closed(false).files, ['/v/a'], '/v')).rejects.toMatchObject({ code: 'EACCES' })
})

test('[CR18] where somebody has put a link that leads to itself there is nothing of ours (seed 1121 of 120 steps)', async () => {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'tidemark-durable-'))
  const link = path.join(directory, 'x')
  fs.symlinkSync('x', link)
  await makeDurable(nodeFileSystem, [link, path.join(link, 'c'), directory], directory)
  fs.rmSync(directory, { recursive: true })
})
