import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import * as limits from '../src/limits.js'

const PAGE = readFileSync(new URL('../../../docs/limits.md', import.meta.url), 'utf8')

test('docs/limits.md lists exactly the bounds of limits.ts with their values', () => {
  const rows = [...PAGE.matchAll(/^\| `([A-Z_]+)` \| ([0-9_.e]+) \|/gm)]
  const listed = rows.map(([, name, value]) => [name, Number(value!.replaceAll('_', ''))])
  expect(Object.fromEntries(listed)).toEqual({ ...limits })
  expect(listed.length).toBe(Object.keys(limits).length)
})
