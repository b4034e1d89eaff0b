import type ignoreOf from 'ignore'
import type { Options } from 'ignore'
import { expect, test, vi } from 'vitest'
import { IgnoreRules } from './ignore-rules.js'

/** Paths that any one object of the library was asked about: it remembers each. */
const asked: Set<string>[] = []
vi.mock('ignore', async (importOriginal) => {
  const { default: ignore } = await importOriginal<{ default: typeof ignoreOf }>()
  const counted = (options?: Options) => {
    const rules = ignore(options)
    const paths = new Set<string>()
    asked.push(paths)
    const ask = rules.test.bind(rules)
    rules.test = (path) => {
      paths.add(path)
      return ask(path)
    }
    return rules
  }
  return { default: counted }
})

test('of the paths that were tested only so many are remembered', () => {
  const rules = new IgnoreRules()
  rules.set('', '*.log\n!keep.log\n')
  for (let i = 0; i < 50_000; i++) {
    expect(rules.isIgnored(`d/${i}.log`, false)).toBe(true)
    expect(rules.isIgnored(`d/${i}/keep.log`, false)).toBe(false)
  }
  expect(Math.max(...asked.map(({ size }) => size))).toBeLessThanOrEqual(20_000)
  expect(asked.length, 'patterns are seldom parsed').toBeLessThan(20)
})

test('[FB14] names that differ by case are others, as in gitignore', () => {
  const rules = new IgnoreRules()
  rules.set('', 'TODO\nBuild/\n*.LOG\n')
  const hidden = ['TODO', 'todo', 'x.LOG', 'x.log', 'Build/f', 'build/f'].filter((path) =>
    rules.isIgnored(path, false),
  )
  expect(hidden).toEqual(['TODO', 'x.LOG', 'Build/f'])
})
