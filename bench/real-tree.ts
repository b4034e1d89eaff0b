import { cpSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { writeRandomFile } from '../test/support/bytes.js'
import { World } from '../test/support/processes.js'
import { readTree } from '../test/support/trees.js'
import type { Figure } from './measure.js'

const NODE_MODULES = fileURLToPath(new URL('../../node_modules', import.meta.url))
const ENTRIES_MIN = 10_000

/** A real source tree, as npm installed it, several times over until it is large, and one large file. */
export async function realTree(bigBytes: number): Promise<Figure[]> {
  const world = new World()
  try {
    const [a, b] = [world.path('a'), world.path('b')]
    for (const folder of [a, b]) mkdirSync(folder)
    for (let copy = 0; Object.keys(readTree(a)).length < ENTRIES_MIN; copy++) {
      cpSync(NODE_MODULES, join(a, `modules-${copy}`), { recursive: true, verbatimSymlinks: true })
    }
    writeRandomFile(join(a, 'big.bin'), bigBytes, 'real tree')
    const hub = await world.hub()
    const began = performance.now()
    await world.once(a, hub, { timeoutMs: 600_000 })
    const middle = performance.now()
    await world.once(b, hub, { timeoutMs: 600_000 })
    const end = performance.now()
    const [left, right] = [readTree(a), readTree(b)]
    const differing = [...new Set([...Object.keys(left), ...Object.keys(right)])].filter(
      (path) => left[path] !== right[path],
    )
    if (differing.length > 0)
      throw new Error(`${differing.length} paths differ, the first is ${differing[0]}`)
    const scenario = `real tree, ${Object.keys(left).length} entries and ${bigBytes / (1 << 20)} MiB, identical`
    return [
      { scenario, what: 'A to hub', value: (middle - began) / 1000, unit: 's' },
      { scenario, what: 'hub to B', value: (end - middle) / 1000, unit: 's' },
    ]
  } finally {
    await world.close()
  }
}
