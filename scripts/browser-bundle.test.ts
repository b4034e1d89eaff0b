import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { build } from 'tsup'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { ROOT } from './repository.js'

/** What a page can use, and what it must not pull in: nothing of Node resolves for a browser. */
const ENTRIES = [
  'packages/protocol/src/index.ts',
  'packages/engine/src/index.ts',
  'packages/engine/src/browser/index.ts',
  'packages/transport-ws/src/browser/index.ts',
]
const FOR_NODE = /node_modules\/(ws|undici|level|classic-level|bufferutil)\//

let out: string
beforeEach(() => {
  out = mkdtempSync(join(tmpdir(), 'tidemark-bundle-'))
})
afterEach(() => rmSync(out, { recursive: true, force: true }))

/** Bundles an entry with all that it imports. @returns the files that went in. */
async function bundle(entry: string): Promise<string[]> {
  await build({
    config: false,
    silent: true,
    entry: { page: join(ROOT, entry) },
    outDir: out,
    format: 'esm',
    platform: 'browser',
    target: 'es2022',
    noExternal: [/./],
    splitting: false,
    treeshake: false,
    metafile: true,
    esbuildOptions: (options) => {
      options.conditions = ['tidemark-source']
      options.logLevel = 'silent'
    },
  })
  const { inputs } = JSON.parse(readFileSync(join(out, 'metafile-esm.json'), 'utf8')) as {
    inputs: Record<string, unknown>
  }
  return Object.keys(inputs)
}

test.each(ENTRIES)('%s is bundled for a browser without anything of Node', async (entry) => {
  const inputs = await bundle(entry)
  expect(inputs.some((path) => path.endsWith(entry))).toBe(true)
  expect(inputs.filter((path) => FOR_NODE.test(path))).toEqual([])
})

test('an entry for Node is told from one for a browser', async () => {
  await expect(bundle('packages/engine/src/node/index.ts')).rejects.toThrow()
  const inputs = await bundle('packages/transport-ws/src/index.ts')
  expect(inputs.filter((path) => FOR_NODE.test(path))).toEqual(['node_modules/ws/browser.js'])
})
