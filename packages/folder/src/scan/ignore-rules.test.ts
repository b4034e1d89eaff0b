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

test('[FB14] what rules are known of a directory goes where it goes', () => {
  const rules = new IgnoreRules()
  for (const directory of ['', 'd', 'd/e']) rules.set(directory, undefined)
  rules.set('d', '*.mine\n')
  rules.moved('d', 'a/b')
  expect([rules.isIgnored('d/p.mine', false), rules.isIgnored('a/b/e/p.mine', false)]).toEqual([false, true])
  expect([rules.unread('d'), rules.unread('a/b/e')]).toEqual(['d', 'a'])
  rules.set('a', undefined)
  expect(rules.unread('a/b/e')).toBeUndefined()
  rules.removed('a/b')
  expect(rules.isIgnored('a/b/p.mine', false)).toBe(false)
  expect(rules.unread('a/b/e')).toBe('a/b')
})

test('[FB14] rules that were never read, or may be others by now, are not known; of what is ignored there are none', () => {
  const rules = new IgnoreRules()
  expect(rules.unread('d')).toBe('')
  rules.set('', '/hidden\n')
  expect(rules.unread('')).toBeUndefined()
  expect([rules.unread('d'), rules.unread('d/e'), rules.unread('hidden/e')]).toEqual(['d', 'd', undefined])
  rules.made('d')
  expect(rules.unread('d')).toBeUndefined()
  rules.touched('d')
  expect(rules.unread('d')).toBe('d')
  rules.touched('')
  expect(rules.unread('hidden/e')).toBe('')
})

test('[FB14] rules that changed are news until they were taken over', () => {
  const rules = new IgnoreRules()
  expect([rules.set('d', 'a\n'), rules.set('d', 'a\n')]).toEqual([true, true])
  rules.takenOver('d')
  expect([rules.set('d', 'a\n'), rules.set('d', undefined)]).toEqual([false, true])
})

test('[FB14] what is hidden by the rules of some directories alone is seen without these', () => {
  const rules = new IgnoreRules()
  rules.set('', '*.log\n')
  rules.set('a', '*.mine\n')
  rules.set('a/b', '*.mine\nb.only\n')
  const seen = (path: string, ...without: string[]) => !rules.isIgnored(path, false, new Set(without))
  expect(seen('a/b/x.mine')).toBe(false)
  expect(seen('a/b/x.mine', 'a')).toBe(false)
  expect(seen('a/b/x.mine', 'a', 'a/b')).toBe(true)
  expect(seen('a/b/b.only', 'a')).toBe(false)
  expect(seen('a/b/b.only', 'a/b')).toBe(true)
  expect(seen('a/b/x.log', 'a', 'a/b')).toBe(false)
  expect(seen('a/b/x.log', '')).toBe(true)
})
