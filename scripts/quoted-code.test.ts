import { expect, test } from 'vitest'
import { filesBelow, readText } from './repository.js'

/** A line that is a link to a file and nothing else, with a block of code right behind it. */
const QUOTE = /^\[`([^`]+)`\]\([^)]+\)\n```(\w*)\n(.*?)^```$/gms

/** Pages on which every block of TypeScript is a quotation. */
const QUOTING = ['docs/testing-your-adapter.md']

test('code that a page quotes from a file stands there', () => {
  const wrong: string[] = []
  for (const page of filesBelow('', ['.md'])) {
    for (const [, path, , code] of readText(page).matchAll(QUOTE)) {
      if (!readText(path!).includes(code!.trimEnd())) wrong.push(`${page}: ${path}: ${code}`)
    }
  }
  expect(wrong).toEqual([])
})

test('a page that quotes shows no other code', () => {
  for (const page of QUOTING) {
    const text = readText(page)
    const blocks = [...text.matchAll(/^```ts$/gm)].length
    expect(blocks).toBeGreaterThan(0)
    expect([...text.matchAll(QUOTE)].length).toBe(blocks)
  }
})
