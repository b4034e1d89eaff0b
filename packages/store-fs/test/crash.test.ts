import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type BlobId, parseBlobId } from '@tidemark/protocol'
import { build } from 'esbuild'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { fsBlobStore } from '../src/index.js'
import { idOf, SPACE, temporaryDirectory } from './http-fixture.js'

let directory = ''
beforeAll(async () => {
  directory = await temporaryDirectory()
  await build({
    entryPoints: [fileURLToPath(new URL('./crash-child.ts', import.meta.url))],
    outfile: join(directory, 'child.mjs'),
    bundle: true,
    platform: 'node',
    format: 'esm',
    conditions: ['tidemark-source'],
    logLevel: 'error',
  })
})
afterAll(() => rm(directory, { recursive: true, force: true }))

test('killed in the middle of puts: what was confirmed is there, what has a name is whole, the rest is swept', async () => {
  let leftovers = 0
  for (let round = 0; round < 6; round++) {
    const data = join(directory, `data-${round}`)
    await mkdir(data)
    const confirmed = await killWhilePutting(data, 3 + round)
    leftovers += (await readdir(join(data, 'incoming'))).length
    const store = fsBlobStore({ directory: data })
    const listed = new Set<BlobId>()
    for await (const id of store.list(SPACE)) {
      const length = (await store.stat(SPACE, id))!
      expect(idOf(await store.read(SPACE, id, { offset: 0, length }))).toBe(id)
      listed.add(id)
    }
    for (const id of confirmed) expect(listed.has(id)).toBe(true)
    expect(await readdir(join(data, 'incoming'))).toEqual([])
  }
  expect(leftovers, 'no round was killed in the middle of a put').toBeGreaterThan(0)
})

/** @returns the ids whose put was confirmed before the kill. */
async function killWhilePutting(data: string, confirmations: number): Promise<BlobId[]> {
  const child = spawn(process.execPath, [join(directory, 'child.mjs'), data], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text
    if (output.split('\n').length > confirmations) child.kill('SIGKILL')
  })
  await once(child, 'close')
  expect(child.signalCode).toBe('SIGKILL')
  return output.split('\n').slice(0, -1).map(parseBlobId)
}
