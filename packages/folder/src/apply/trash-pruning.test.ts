import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { nodeFileSystem } from '../adapters/node-file-system.js'
import { TRASH_AGE_MS_MAX } from './trash.js'
import { TrashPruning } from './trash-pruning.js'

const HOUR_MS = 3_600_000
const START_MS = 1_700_000_000_000

let trash: string
let pruning: TrashPruning
beforeEach(() => {
  trash = fs.mkdtempSync(join(tmpdir(), 'tidemark-trash-'))
  pruning = new TrashPruning({ files: nodeFileSystem, clock: { nowMs: () => START_MS }, trash }, 0)
})
afterEach(() => fs.rmSync(trash, { recursive: true, force: true }))

/** Older than is kept. */
function addOld(): void {
  fs.mkdirSync(join(trash, '1-0'))
  const ages = { '1-0': TRASH_AGE_MS_MAX + 1 }
  fs.writeFileSync(join(trash, 'ages.json'), JSON.stringify({ lookedMs: START_MS, ages }))
}
const groups = (): string[] => fs.readdirSync(trash).filter((name) => name !== 'ages.json')

test('a running folder looks at its trash once a day', () => {
  addOld()
  pruning.pruneIfDue(23 * HOUR_MS, true)
  expect(groups()).toHaveLength(1)
  pruning.pruneIfDue(24 * HOUR_MS, true)
  expect(groups()).toEqual([])
})

test('a trash that grows is looked at every hour', () => {
  addOld()
  pruning.grown()
  pruning.pruneIfDue(HOUR_MS - 1, true)
  expect(groups()).toHaveLength(1)
  pruning.pruneIfDue(HOUR_MS, true)
  expect(groups()).toEqual([])
  addOld()
  pruning.pruneIfDue(2 * HOUR_MS, true)
  expect(groups()).toHaveLength(1)
})

test('a trash that is gone stops nobody', () => {
  fs.rmSync(trash, { recursive: true })
  expect(() => pruning.pruneIfDue(25 * HOUR_MS, true)).not.toThrow()
})

test('a trash that half-done effects may need things of is looked at when these are settled', () => {
  addOld()
  pruning.pruneIfDue(25 * HOUR_MS, false)
  expect(groups()).toHaveLength(1)
  pruning.pruneIfDue(25 * HOUR_MS + 1, true)
  expect(groups()).toEqual([])
})
