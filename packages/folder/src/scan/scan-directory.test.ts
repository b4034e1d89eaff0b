import { execFileSync } from 'node:child_process'
import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { nodeFileSystem } from '../adapters/node-file-system.js'
import type { FileSystem } from '../ports/file-system.js'
import { IgnoreRules } from './ignore-rules.js'
import { type DirectoryScan, scanDirectory } from './scan-directory.js'

const directories: string[] = []
afterEach(() => {
  for (const directory of directories.splice(0)) fs.rmSync(directory, { recursive: true, force: true })
})

function folder() {
  const root = fs.mkdtempSync(join(tmpdir(), 'tidemark-scan-'))
  directories.push(root)
  const rules = new IgnoreRules()
  const scan = (path = ''): DirectoryScan => {
    const { dev, ino } = nodeFileSystem.lstat(path === '' ? root : join(root, path))!
    return scanDirectory(nodeFileSystem, rules, { root, path, dev, ino })
  }
  return { root, rules, scan, path: (name: string) => join(root, name) }
}

function mustList(scan: DirectoryScan) {
  if (scan.state !== 'listed') throw new TypeError(`the directory is ${scan.state}`)
  return {
    found: [...scan.found.keys()].sort(),
    hidden: [...scan.hidden].sort(),
    causes: scan.problems.map(({ cause }) => cause).sort(),
  }
}

test('files, directories and symlinks are found; a symlink is not followed', () => {
  const { scan, path } = folder()
  fs.writeFileSync(path('f'), '')
  fs.mkdirSync(path('d'))
  fs.symlinkSync('d', path('l'))
  const listed = scan()
  expect(mustList(listed)).toEqual({ found: ['d', 'f', 'l'], hidden: [], causes: [] })
  if (listed.state === 'listed') expect(listed.found.get('l')!.kind).toBe('symlink')
})

test('a fifo is hidden and a problem, a name that is not UTF-8 only a problem', () => {
  const { scan, path, root } = folder()
  execFileSync('mkfifo', [path('p')])
  fs.writeFileSync(Buffer.concat([Buffer.from(`${root}/`), Buffer.from([0xc3, 0x28])]), '')
  expect(mustList(scan())).toEqual({ found: [], hidden: ['p'], causes: ['not-utf8', 'special-file'] })
})

test('the directory of this binding, and that of a folder within which is bound on its own, is never found', () => {
  const { scan, path } = folder()
  fs.mkdirSync(path('.tidemark'))
  fs.mkdirSync(path('d/.tidemark'), { recursive: true })
  expect(mustList(scan())).toEqual({ found: ['d'], hidden: ['.tidemark'], causes: [] })
  expect(mustList(scan('d'))).toEqual({ found: [], hidden: ['.tidemark'], causes: [] })
})

test('ignored names are hidden, without a problem; nested rules overrule those above', () => {
  const { scan, path } = folder()
  fs.mkdirSync(path('d'))
  fs.writeFileSync(path('.tidemarkignore'), '*.log\n/only-here\n')
  fs.writeFileSync(path('d/.tidemarkignore'), '!keep.log\n')
  for (const name of ['a.log', 'only-here', 'd/keep.log', 'd/b.log', 'd/only-here'])
    fs.writeFileSync(path(name), '')
  expect(mustList(scan()).hidden).toEqual(['a.log', 'only-here'])
  expect(mustList(scan('d'))).toMatchObject({
    found: ['.tidemarkignore', 'keep.log', 'only-here'],
    hidden: ['b.log'],
  })
})

test('a scan says when the ignore rules are others than those that were taken over', () => {
  const { rules, scan, path } = folder()
  const changed = () => {
    const result = scan()
    return result.state === 'listed' && result.rulesChanged
  }
  expect(changed()).toBe(false)
  fs.writeFileSync(path('.tidemarkignore'), 'a\n')
  expect([changed(), changed()]).toEqual([true, true])
  rules.takenOver('')
  expect(changed()).toBe(false)
  fs.rmSync(path('.tidemarkignore'))
  expect(changed()).toBe(true)
})

test('a directory that is another one by now, or a symlink, is gone rather than listed', () => {
  const { root, rules, path } = folder()
  fs.mkdirSync(path('d'))
  fs.mkdirSync(path('elsewhere'))
  const { dev, ino } = nodeFileSystem.lstat(path('d'))!
  const again = () => scanDirectory(nodeFileSystem, rules, { root, path: 'd', dev, ino }).state
  expect(again()).toBe('listed')
  fs.renameSync(path('d'), path('moved'))
  expect(again()).toBe('gone')
  fs.symlinkSync('moved', path('d'))
  expect(again()).toBe('gone')
})

test('what lies on another device is hidden and a problem', () => {
  const { root, rules, path } = folder()
  fs.mkdirSync(path('mounted'))
  const { dev, ino } = nodeFileSystem.lstat(root)!
  const files = {
    ...nodeFileSystem,
    lstat: (at: string) => {
      const stat = nodeFileSystem.lstat(at)
      return stat && at.endsWith('/mounted') ? { ...stat, dev: 'another' } : stat
    },
  }
  const scan = scanDirectory(files, rules, { root, path: '', dev, ino })
  expect(mustList(scan)).toEqual({ found: [], hidden: ['mounted'], causes: ['other-device'] })
})

test('a directory that cannot be listed is unknown', () => {
  const { root, rules } = folder()
  const { dev, ino } = nodeFileSystem.lstat(root)!
  const files = {
    ...nodeFileSystem,
    readdir: () => {
      throw Object.assign(new Error('no'), { code: 'EACCES' })
    },
  }
  const scan = scanDirectory(files, rules, { root, path: '', dev, ino })
  expect(scan).toMatchObject({ state: 'unknown', problem: { cause: 'unreadable' } })
})

/** A disk on which nobody can look at some places. */
function refusing(code: string, isRefused: (path: string) => boolean): FileSystem {
  return {
    ...nodeFileSystem,
    lstat(path) {
      if (isRefused(path)) throw Object.assign(new Error(code), { code })
      return nodeFileSystem.lstat(path)
    },
  }
}

test.each(['ENOTCONN', 'EACCES', 'EIO', 'ESTALE', 'ENAMETOOLONG'])(
  '[FB1] a name that cannot be looked at (%s) is hidden and a problem, and nothing else with it',
  (code) => {
    const { root, rules, path } = folder()
    for (const name of ['dead', 'd']) fs.mkdirSync(path(name))
    fs.writeFileSync(path('f'), '')
    const { dev, ino } = nodeFileSystem.lstat(root)!
    const files = refusing(code, (at) => at.endsWith('/dead'))
    const scan = scanDirectory(files, rules, { root, path: '', dev, ino })
    expect(mustList(scan)).toEqual({ found: ['d', 'f'], hidden: ['dead'], causes: ['unreadable'] })
    if (scan.state === 'listed') expect(scan.problems[0]).toMatchObject({ path: 'dead' })
  },
)

test.each(['dead', 'dead/'])(
  'a name that cannot be looked at, and that a rule hides (%s), is no problem',
  (rule) => {
    const { root, rules, path } = folder()
    fs.mkdirSync(path('dead'))
    fs.writeFileSync(path('.tidemarkignore'), `${rule}\n`)
    const { dev, ino } = nodeFileSystem.lstat(root)!
    const files = refusing('ENOTCONN', (at) => at.endsWith('/dead'))
    const scan = scanDirectory(files, rules, { root, path: '', dev, ino })
    expect(mustList(scan)).toEqual({ found: ['.tidemarkignore'], hidden: ['dead'], causes: [] })
  },
)

test('a directory that may be read and not entered is unknown as a whole', () => {
  const { root, rules, path } = folder()
  fs.writeFileSync(path('f'), '')
  const { dev, ino } = nodeFileSystem.lstat(root)!
  const files = refusing('EACCES', (at) => at.startsWith(`${root}/`))
  const scan = scanDirectory(files, rules, { root, path: '', dev, ino })
  expect(scan).toMatchObject({ state: 'unknown', problem: { path: '', cause: 'unreadable' } })
})

test.each([
  ['a symlink', (at: string) => fs.symlinkSync('rules', at)],
  ['a directory', (at: string) => fs.mkdirSync(at)],
  ['too large', (at: string) => fs.writeFileSync(at, '#'.repeat(1024 * 1024 + 1))],
])('rules that are not read, because they are %s, are a problem by name', (_, make) => {
  const { scan, path } = folder()
  fs.writeFileSync(path('rules'), 'f\n')
  fs.writeFileSync(path('f'), '')
  make(path('.tidemarkignore'))
  const listed = scan()
  expect(mustList(listed)).toEqual({
    found: ['.tidemarkignore', 'f', 'rules'],
    hidden: [],
    causes: ['ignore-rule'],
  })
  if (listed.state === 'listed') expect(listed.problems[0]!.path).toBe('.tidemarkignore')
})

test('a line of the rules that no path can match, or that takes for ever, hides nothing and stops nothing', () => {
  const { scan, path } = folder()
  fs.writeFileSync(
    path('.tidemarkignore'),
    `${'a'.repeat(70_007)}\n*.log\n**/a/**/a/**/a/c\n${'*a'.repeat(3_000)}\n`,
  )
  fs.writeFileSync(path('x.log'), '')
  fs.mkdirSync(path('a/'.repeat(150)), { recursive: true })
  expect(mustList(scan())).toEqual({
    found: ['.tidemarkignore', 'a'],
    hidden: ['x.log'],
    causes: ['ignore-rule'],
  })
  expect(mustList(scan('a/'.repeat(149).slice(0, -1)))).toEqual({ found: ['a'], hidden: [], causes: [] })
})
