import ts from 'typescript'
import { expect, test } from 'vitest'
import { filesBelow, parse, readText, walk } from './repository.js'

/** Rules of docs/invariants.md and the tests that quote them at the start of their names. */
const PAGE = 'docs/invariants.md'
const [RULES_TEXT = '', GAPS_TEXT = ''] = readText(PAGE).split(/^## Gaps$/m)

/** First cells of a table's rows that are rule ids. */
const idsIn = (text: string): string[] => [...text.matchAll(/^\| ([A-Z]+\d+) \|/gm)].map(([, id]) => id!)

const rules = idsIn(RULES_TEXT)
const gaps = idsIn(GAPS_TEXT)

/** Id → one of the files whose tests quote it. */
function quotedRules(): ReadonlyMap<string, string> {
  const quoted = new Map<string, string>()
  const files = ['packages', 'examples', 'test', 'bench'].flatMap((dir) => filesBelow(dir, ['.ts']))
  for (const path of files) {
    walk(parse(path), (node) => {
      const text = ts.isStringLiteralLike(node) || ts.isTemplateHead(node) ? node.text : undefined
      for (const id of text === undefined ? [] : leadingIds(text)) quoted.set(id, path)
    })
  }
  return quoted
}

/** `[J1] …`, `[J1, J2] …` and `[J1] [J2] …`. */
function leadingIds(text: string): string[] {
  const ids: string[] = []
  const tag = /\s*\[([A-Z]+\d+(?:,\s*[A-Z]+\d+)*)\]/y
  for (let match = tag.exec(text); match; match = tag.exec(text)) ids.push(...match[1]!.split(/,\s*/))
  return ids
}

const quoted = quotedRules()

test('every rule has one number', () => {
  expect(rules.length).toBeGreaterThan(0)
  expect(rules.filter((id, i) => rules.indexOf(id) !== i)).toEqual([])
})

test('every rule is quoted by a test, or stands among the gaps with a reason', () => {
  expect(rules.filter((id) => !quoted.has(id) && !gaps.includes(id))).toEqual([])
})

test('a gap is a rule, has a reason, and is closed when a test quotes it', () => {
  expect(gaps.filter((id) => !rules.includes(id))).toEqual([])
  expect(gaps.filter((id) => quoted.has(id))).toEqual([])
  expect([...GAPS_TEXT.matchAll(/^\| ([A-Z]+\d+) \| *\|/gm)].map(([, id]) => id)).toEqual([])
})

test('every rule that a test quotes is on the page', () => {
  const unknown = [...quoted].filter(([id]) => !rules.includes(id))
  expect(unknown.map(([id, path]) => `${id}: ${path}`)).toEqual([])
})
