import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as engine from '@tidemark/engine'
import * as engineNode from '@tidemark/engine/node'
import * as folder from '@tidemark/folder'
import { createHub, type Hub } from '@tidemark/server-reference'
import * as storeFs from '@tidemark/store-fs'
import * as transportWs from '@tidemark/transport-ws'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { readText } from './repository.js'

/** The examples of the READMEs, run as they stand but for directories, the hub's address and `console`. */
const MODULES: Readonly<Record<string, object>> = {
  '@tidemark/engine': engine,
  '@tidemark/engine/node': engineNode,
  '@tidemark/folder': folder,
  '@tidemark/store-fs': storeFs,
  '@tidemark/transport-ws': transportWs,
}

let home: string
let hub: Hub

beforeEach(async () => {
  home = mkdtempSync(join(tmpdir(), 'tidemark-readme-'))
  hub = await createHub({ dataDirectory: join(home, 'hub'), port: 0, token: 'secret' })
})
afterEach(async () => {
  await hub.close()
  rmSync(home, { recursive: true, force: true })
})

/** The one block of TypeScript that opens a replica. */
function exampleOf(page: string): string {
  const blocks = [...readText(page).matchAll(/^```ts\n(.*?)^```$/gms)].map(([, code]) => code!)
  const examples = blocks.filter((code) => code.includes('openReplica('))
  if (examples.length !== 1) throw new Error(`${page}: ${examples.length} examples`)
  return examples[0]!
}

/** @returns what it printed, one list of arguments a line. */
async function run(code: string): Promise<unknown[][]> {
  const body = code
    .replaceAll(/^import (\{[^}]*\}) from '([^']+)'$/gm, "const $1 = modules['$2']")
    .replaceAll(/'\.\/(\w+)'/g, (_, name: string) => JSON.stringify(join(home, name)))
    .replaceAll('ws://127.0.0.1:8080', hub.url)
  const printed: unknown[][] = []
  const AsyncFunction = (async () => undefined).constructor as new (
    ...parts: string[]
  ) => (modules: typeof MODULES, console: { log(...facts: unknown[]): void }) => Promise<void>
  await new AsyncFunction('modules', 'console', body)(MODULES, { log: (...facts) => printed.push(facts) })
  return printed
}

describe('the READMEs', () => {
  test('the example of the project and of the engine writes, moves, lists and settles with a hub', async () => {
    const example = exampleOf('README.md')
    expect(exampleOf('packages/engine/README.md')).toBe(example)
    expect(await run(example)).toEqual([
      ['archive', 'dir', 'main'],
      ['archive/cat.txt', 'file', 'main'],
    ])
  })

  test('the example of the folder binds a directory and settles with a hub', async () => {
    const directory = join(home, 'Photos')
    const code = exampleOf('packages/folder/README.md')
    expect(code).toContain("'./Photos'")
    mkdirSync(directory)
    writeFileSync(join(directory, 'cat.txt'), 'a cat')
    const printed = await run(code)
    expect(printed.at(-1)?.[0]).toBe('idle')
    expect(readdirSync(directory).sort()).toEqual(['.tidemark', 'cat.txt'])
  })
})
