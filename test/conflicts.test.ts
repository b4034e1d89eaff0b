import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { World } from './support/processes.js'
import { readTree } from './support/trees.js'

/** What a user does in one directory, with ordinary file operations. */
class Hand {
  constructor(readonly dir: string) {}
  at = (path: string): string => join(this.dir, path)
  write(path: string, text: string): void {
    mkdirSync(dirname(this.at(path)), { recursive: true })
    writeFileSync(this.at(path), text)
  }
  /** As editors save: a temporary file beside it, renamed over it. */
  save(path: string, text: string): void {
    writeFileSync(this.at(`${path}.tmp~`), text)
    renameSync(this.at(`${path}.tmp~`), this.at(path))
  }
  mkdir(path: string): void {
    mkdirSync(this.at(path), { recursive: true })
  }
  move(from: string, to: string): void {
    mkdirSync(dirname(this.at(to)), { recursive: true })
    renameSync(this.at(from), this.at(to))
  }
  remove(path: string): void {
    rmSync(this.at(path), { recursive: true })
  }
  /** Conflict copies or clashes of `name`, sorted. */
  copiesOf(name: string): string[] {
    const dot = name.lastIndexOf('.')
    const stem = dot > 0 ? name.slice(0, dot) : name
    return readdirSync(this.dir)
      .filter((entry) => entry !== name && entry.startsWith(`${stem} (`))
      .sort()
  }
  copyOf(name: string): string {
    const found = this.copiesOf(name)
    if (found.length !== 1) throw new Error(`expected one copy of ${name}, found ${JSON.stringify(found)}`)
    return found[0]!
  }
}

interface Case {
  readonly name: string
  base?(hand: Hand): void
  left(hand: Hand): void
  right(hand: Hand): void
  /** A third device, where two are not enough. */
  third?(hand: Hand): void
  /** After all met: on the left, then synced again. */
  resolve?(hand: Hand): void
  /** At the same time as `resolve`, on the right, not knowing of it. */
  resolveRight?(hand: Hand): void
  /** Text or `dir` by path: `|` parts what is equally right, `*` stands for a tag or a cut name. */
  readonly expect: Readonly<Record<string, string | 'dir'>>
}

/** Edited on both sides: the start of every case about resolving. */
const EDITED_TWICE: Pick<Case, 'base' | 'left' | 'right'> = {
  base: (h) => h.write('f.txt', 'base'),
  left: (h) => h.write('f.txt', 'left'),
  right: (h) => h.write('f.txt', 'right side'),
}
const EITHER = 'left|right side'
const LONG = `${'n'.repeat(251)}.txt`

const CASES: readonly Case[] = [
  {
    name: 'edit / edit: both versions stay, one as a conflict copy',
    ...EDITED_TWICE,
    expect: { 'f.txt': EITHER, 'f (conflict *).txt': EITHER },
  },
  {
    name: 'edit / edit, then the copy is deleted: the winner stays alone',
    ...EDITED_TWICE,
    resolve: (h) => unlinkSync(h.at(h.copyOf('f.txt'))),
    expect: { 'f.txt': EITHER },
  },
  {
    name: 'edit / edit, then the copy is renamed: it becomes a file of its own',
    ...EDITED_TWICE,
    resolve: (h) => h.move(h.copyOf('f.txt'), 'mine.txt'),
    expect: { 'f.txt': EITHER, 'mine.txt': EITHER },
  },
  {
    name: 'edit / edit, then the copy is moved into a directory',
    ...EDITED_TWICE,
    resolve: (h) => h.move(h.copyOf('f.txt'), 'sub/kept.txt'),
    expect: { 'f.txt': EITHER, sub: 'dir', 'sub/kept.txt': EITHER },
  },
  {
    name: 'edit / edit, then the copy is moved over the winner: its bytes are the file',
    ...EDITED_TWICE,
    resolve: (h) => h.move(h.copyOf('f.txt'), 'f.txt'),
    expect: { 'f.txt': EITHER },
  },
  {
    name: 'edit / edit, then the winner is edited again: the copy stays what it was',
    ...EDITED_TWICE,
    resolve: (h) => h.write('f.txt', 'edited again'),
    expect: { 'f.txt': 'edited again', 'f (conflict *).txt': EITHER },
  },
  {
    name: 'edit / edit / edit: three versions, two of them as conflict copies',
    ...EDITED_TWICE,
    third: (h) => h.write('f.txt', 'the third one'),
    expect: {
      'f.txt': `${EITHER}|the third one`,
      'f (conflict *).txt': `${EITHER}|the third one`,
      'f (conflict **).txt': `${EITHER}|the third one`,
    },
  },
  {
    name: 'edit / edit / edit, then both copies are deleted: the winner stays alone',
    ...EDITED_TWICE,
    third: (h) => h.write('f.txt', 'the third one'),
    resolve: (h) => {
      for (const copy of h.copiesOf('f.txt')) h.remove(copy)
    },
    expect: { 'f.txt': `${EITHER}|the third one` },
  },
  {
    name: 'edit / edit, then the copy is edited: it is a file of its own, the winner stays',
    ...EDITED_TWICE,
    resolve: (h) => h.write(h.copyOf('f.txt'), 'edited copy'),
    expect: { 'f.txt': EITHER, 'f (conflict *).txt': 'edited copy' },
  },
  {
    name: 'edit / edit, then the copy is edited twice: the winner stays',
    ...EDITED_TWICE,
    resolve: (h) => {
      h.write(h.copyOf('f.txt'), 'edited copy')
      h.write(h.copyOf('f.txt'), 'edited copy again')
    },
    expect: { 'f.txt': EITHER, 'f (conflict *).txt': 'edited copy again' },
  },
  {
    name: 'edit / edit, then the winner is deleted: the copy stays',
    ...EDITED_TWICE,
    resolve: (h) => h.remove('f.txt'),
    expect: { 'f (conflict *).txt': EITHER },
  },
  {
    name: 'edit / edit, then the winner is moved: the copy stays where it was',
    ...EDITED_TWICE,
    resolve: (h) => h.move('f.txt', 'sub/f.txt'),
    expect: { sub: 'dir', 'sub/f.txt': EITHER, 'f (conflict *).txt': EITHER },
  },
  {
    name: 'edit / edit, then the winner is edited on both sides again: every version stays',
    ...EDITED_TWICE,
    resolve: (h) => h.write('f.txt', 'left again'),
    resolveRight: (h) => h.write('f.txt', 'right again'),
    expect: {
      'f.txt': 'left again|right again',
      'f (conflict *).txt': `left again|right again|${EITHER}`,
      'f (conflict **).txt': `left again|right again|${EITHER}`,
    },
  },
  {
    name: 'edit / edit, then the copy is deleted here and the winner edited there: both hold',
    ...EDITED_TWICE,
    resolve: (h) => h.remove(h.copyOf('f.txt')),
    resolveRight: (h) => h.write('f.txt', 'edited again'),
    expect: { 'f.txt': 'edited again' },
  },
  {
    name: 'edit / edit to equal bytes: one version',
    base: (h) => h.write('f.txt', 'base'),
    left: (h) => h.write('f.txt', 'agreed'),
    right: (h) => h.write('f.txt', 'agreed'),
    expect: { 'f.txt': 'agreed' },
  },
  {
    name: 'edit / delete: the edit survives',
    base: (h) => h.write('f.txt', 'base'),
    left: (h) => h.write('f.txt', 'edited'),
    right: (h) => h.remove('f.txt'),
    expect: { 'f.txt': 'edited' },
  },
  {
    name: 'move / move: one of the two places, once',
    base: (h) => h.write('f.txt', 'base'),
    left: (h) => h.move('f.txt', 'x/f.txt'),
    right: (h) => h.move('f.txt', 'y/f.txt'),
    expect: { x: 'dir', y: 'dir', 'x/f.txt|y/f.txt': 'base' },
  },
  {
    name: 'move / delete: the move survives',
    base: (h) => h.write('f.txt', 'base'),
    left: (h) => h.move('f.txt', 'x/f.txt'),
    right: (h) => h.remove('f.txt'),
    expect: { x: 'dir', 'x/f.txt': 'base' },
  },
  {
    name: 'rename / rename: one of the two names, once',
    base: (h) => h.write('f.txt', 'base'),
    left: (h) => h.move('f.txt', 'g.txt'),
    right: (h) => h.move('f.txt', 'h.txt'),
    expect: { 'g.txt|h.txt': 'base' },
  },
  {
    name: 'rename / edit: the new name has the new bytes',
    base: (h) => h.write('f.txt', 'base'),
    left: (h) => h.move('f.txt', 'g.txt'),
    right: (h) => h.write('f.txt', 'edited'),
    expect: { 'g.txt': 'edited' },
  },
  {
    name: 'directory moved / file edited inside: the edit follows',
    base: (h) => h.write('d/f.txt', 'base'),
    left: (h) => h.move('d', 'e'),
    right: (h) => h.write('d/f.txt', 'edited inside'),
    expect: { e: 'dir', 'e/f.txt': 'edited inside' },
  },
  {
    name: 'directory deleted / new child inside: the child and its directory survive',
    base: (h) => h.write('d/old.txt', 'old'),
    left: (h) => h.remove('d'),
    right: (h) => h.write('d/new.txt', 'new'),
    expect: { d: 'dir', 'd/new.txt': 'new' },
  },
  {
    name: 'directory moved / new child inside: the child follows',
    base: (h) => h.write('d/old.txt', 'old'),
    left: (h) => h.move('d', 'e'),
    right: (h) => h.write('d/new.txt', 'new'),
    expect: { e: 'dir', 'e/old.txt': 'old', 'e/new.txt': 'new' },
  },
  {
    name: 'directory deleted / file inside edited: the edit and its directory survive',
    base: (h) => {
      h.write('d/kept.txt', 'base')
      h.write('d/gone.txt', 'gone')
    },
    left: (h) => h.remove('d'),
    right: (h) => h.write('d/kept.txt', 'edited'),
    expect: { d: 'dir', 'd/kept.txt': 'edited' },
  },
  {
    name: 'directory renamed on both sides: one of the two names, with everything in it',
    base: (h) => h.write('d/f.txt', 'base'),
    left: (h) => h.move('d', 'e'),
    right: (h) => h.move('d', 'g'),
    expect: { 'e|g': 'dir', 'e/f.txt|g/f.txt': 'base' },
  },
  {
    name: 'cycle: two directories moved into each other both stay reachable',
    base: (h) => {
      h.write('a/1.txt', 'one')
      h.write('b/2.txt', 'two')
    },
    left: (h) => h.move('a', 'b/a'),
    right: (h) => h.move('b', 'a/b'),
    expect: { 'a|b': 'dir', 'b/a|a/b': 'dir', 'b/a/1.txt|a/1.txt': 'one', 'b/2.txt|a/b/2.txt': 'two' },
  },
  {
    name: 'name clash file / file: both stay',
    left: (h) => h.write('n.txt', 'from left'),
    right: (h) => h.write('n.txt', 'from the right'),
    expect: { 'n.txt': 'from left|from the right', 'n (*).txt': 'from left|from the right' },
  },
  {
    name: 'name clash file / file, then one is renamed: both are files of their own',
    left: (h) => h.write('n.txt', 'from left'),
    right: (h) => h.write('n.txt', 'from the right'),
    resolve: (h) => h.move(h.copyOf('n.txt'), 'other.txt'),
    expect: { 'n.txt': 'from left|from the right', 'other.txt': 'from left|from the right' },
  },
  {
    name: 'name clash by rename: both stay',
    base: (h) => {
      h.write('a.txt', 'was a')
      h.write('b.txt', 'was b')
    },
    left: (h) => h.move('a.txt', 'n.txt'),
    right: (h) => h.move('b.txt', 'n.txt'),
    expect: { 'n.txt': 'was a|was b', 'n (*).txt': 'was a|was b' },
  },
  {
    name: 'name clash file / directory: the directory has the name',
    left: (h) => h.write('n', 'a file'),
    right: (h) => h.write('n/child.txt', 'child'),
    expect: { n: 'dir', 'n/child.txt': 'child', 'n (*)': 'a file' },
  },
  {
    name: 'name clash directory / directory: they merge',
    left: (h) => h.write('n/left.txt', 'left'),
    right: (h) => h.write('n/right.txt', 'right'),
    expect: { n: 'dir', 'n/left.txt': 'left', 'n/right.txt': 'right' },
  },
  {
    name: 'same content created twice: one file',
    left: (h) => h.write('same.txt', 'equal'),
    right: (h) => h.write('same.txt', 'equal'),
    expect: { 'same.txt': 'equal' },
  },
  {
    name: 'a name of 255 bytes, edited on both sides: the copy fits too',
    base: (h) => h.write(LONG, 'base'),
    left: (h) => h.write(LONG, 'left'),
    right: (h) => h.write(LONG, 'right side'),
    expect: { [LONG]: EITHER, 'n* (conflict *).txt': EITHER },
  },
  {
    name: 'case-only rename / edit',
    base: (h) => h.write('readme.md', 'base'),
    left: (h) => h.move('readme.md', 'README.md'),
    right: (h) => h.write('readme.md', 'edited'),
    expect: { 'README.md': 'edited' },
  },
  {
    name: 'save by rename / rename: the new name has the saved bytes',
    base: (h) => h.write('f.txt', 'base'),
    left: (h) => h.save('f.txt', 'saved'),
    right: (h) => h.move('f.txt', 'g.txt'),
    expect: { 'g.txt': 'saved' },
  },
  {
    name: 'save by rename / edit: both versions stay',
    base: (h) => h.write('f.txt', 'base'),
    left: (h) => h.save('f.txt', 'saved'),
    right: (h) => h.write('f.txt', 'edited in place'),
    expect: { 'f.txt': 'saved|edited in place', 'f (conflict *).txt': 'saved|edited in place' },
  },
  {
    name: 'deleted and made again / edited: both versions stay',
    base: (h) => h.write('f.txt', 'base'),
    left: (h) => {
      h.remove('f.txt')
      h.write('f.txt', 'made again')
    },
    right: (h) => h.write('f.txt', 'edited'),
    expect: { 'f.txt': 'made again|edited', 'f (conflict *).txt': 'made again|edited' },
  },
  {
    name: 'renamed over another file / that one edited: the edit stays too',
    base: (h) => {
      h.write('new.txt', 'new bytes')
      h.write('f.txt', 'base')
    },
    left: (h) => h.move('new.txt', 'f.txt'),
    right: (h) => h.write('f.txt', 'edited'),
    expect: { 'f.txt': 'new bytes|edited', 'f (*).txt': 'new bytes|edited' },
  },
  {
    name: 'swap of two names / edit of one: the edit follows its file',
    base: (h) => {
      h.write('one.txt', 'was one')
      h.write('two.txt', 'was two')
    },
    left: (h) => {
      h.move('one.txt', 'tmp')
      h.move('two.txt', 'one.txt')
      h.move('tmp', 'two.txt')
    },
    right: (h) => h.write('one.txt', 'one, edited'),
    expect: { 'one.txt': 'was two', 'two.txt': 'one, edited' },
  },
  {
    name: 'replaced with equal size and mtime: seen all the same',
    base: (h) => h.write('f.txt', 'aaaa'),
    left: (h) => {
      const { atime, mtime } = statSync(h.at('f.txt'))
      h.write('f.txt', 'bbbb')
      utimesSync(h.at('f.txt'), atime, mtime)
    },
    right: () => undefined,
    expect: { 'f.txt': 'bbbb' },
  },
  {
    name: 'delete / delete: gone',
    base: (h) => h.write('f.txt', 'base'),
    left: (h) => h.remove('f.txt'),
    right: (h) => h.remove('f.txt'),
    expect: {},
  },
]

describe('conflicts on disk, from real processes', () => {
  const world = new World()
  const left = world.path('left')
  const right = world.path('right')
  const third = world.path('third')
  const dirOf = (root: string, index: number) => join(root, `case ${String(index).padStart(2, '0')}`)
  const each = (root: string, act: (item: Case, hand: Hand) => void) => {
    for (const [index, item] of CASES.entries()) act(item, new Hand(dirOf(root, index)))
  }

  beforeAll(async () => {
    const hub = await world.hub()
    const meet = async () => {
      for (const folder of [left, right, third, left, right]) await world.once(folder, hub)
    }
    for (const root of [left, right, third]) mkdirSync(root)
    each(left, (item, hand) => {
      hand.mkdir('.')
      item.base?.(hand)
    })
    await meet()
    each(left, (item, hand) => item.left(hand))
    each(right, (item, hand) => item.right(hand))
    each(third, (item, hand) => item.third?.(hand))
    await meet()
    each(left, (item, hand) => item.resolve?.(hand))
    each(right, (item, hand) => item.resolveRight?.(hand))
    await meet()
    await world.once(third, hub)
  }, 120_000)
  afterAll(() => world.close())

  test('[VW4] all folders are equal in the end', () => {
    expect(readTree(right)).toEqual(readTree(left))
    expect(readTree(third)).toEqual(readTree(left))
  })

  for (const [index, item] of CASES.entries()) {
    test(`[NL11] ${item.name}`, () => {
      expectShape(dirOf(left, index), item.expect)
    })
  }
})

/** Matches every entry on disk with one expectation and every expectation with an entry; texts are used once. */
function expectShape(dir: string, expected: Case['expect']): void {
  expect(existsSync(dir)).toBe(true)
  const tree = readTree(dir)
  const actual = Object.keys(tree).map((path) => [
    path,
    tree[path] === 'dir' ? 'dir' : readFileSync(join(dir, path), 'utf8'),
  ])
  const open = Object.entries(expected).map(([path, text]) => ({
    path,
    pattern: pattern(path),
    texts: text.split('|'),
  }))
  const used = new Set<string>()
  for (const [path, text] of actual as [string, string][]) {
    const at = open.findIndex((item) => item.pattern.test(path) && item.texts.includes(text))
    expect(
      at,
      `${path} = ${text} is unexpected beside ${JSON.stringify(Object.fromEntries(actual))}`,
    ).not.toBe(-1)
    const [item] = open.splice(at, 1)
    if (item!.texts.length > 1) {
      expect(used.has(text), `${text} stands twice`).toBe(false)
      used.add(text)
    }
  }
  expect(
    open.map((item) => item.path),
    `missing beside ${JSON.stringify(Object.fromEntries(actual))}`,
  ).toEqual([])
}

function pattern(path: string): RegExp {
  const options = path
    .split('|')
    .map((one) => one.replace(/[.+?^${}()[\]\\]/g, '\\$&').replace(/\*+/g, '[^/]+'))
  return new RegExp(`^(${options.join('|')})$`)
}
