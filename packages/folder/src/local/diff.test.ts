import { entryKey, type ViewEntry } from '@tidemark/engine'
import { type ChunkId, type NodeId, ROOT } from '@tidemark/protocol'
import { describe, expect, test } from 'vitest'
import type { FileKind, FileStat } from '../ports/file-system.js'
import type { SyncedRow } from '../rows.js'
import { diffDirectory, type Whereabouts } from './diff.js'
import { DirRef } from './dir-ref.js'
import { sameIdentity } from './identity.js'
import { type Moved, type Occupied, resolve } from './resolve.js'

/**
 * A folder of one directory. `before` and `after`: name → what stands there, as kind, inode and version:
 * `f1` is the file with inode 1, `f1'` the same edited, `d2` a directory, `l3` a symlink, `p` a fifo.
 */
type Disk = Readonly<Record<string, string>>

const KINDS: Record<string, FileKind> = { f: 'file', d: 'dir', l: 'symlink', p: 'special' }

function stat(token: string): FileStat {
  const [, letter, ino, edits] = /^([fdlp])(\d+)('*)$/.exec(token)!
  const time = String(1_000_000_000 + edits!.length)
  return {
    kind: KINDS[letter!]!,
    dev: '1',
    ino: ino!,
    birthtimeNs: `${ino}00`,
    size: 10 + edits!.length,
    mtimeNs: time,
    ctimeNs: time,
    mode: 0o644,
    nlink: 1,
    allocatedBytes: 4_096,
  }
}

/** An entry is called after the inode that it was bound to. */
function row(name: string, token: string): SyncedRow {
  const { kind, ...fingerprint } = stat(token)
  const node = fingerprint.ino.padStart(32, '0') as NodeId
  const entry: ViewEntry = {
    parent: ROOT,
    name,
    kind: kind as 'file' | 'dir' | 'symlink',
    node,
    backing: [node],
    role: 'main',
    executable: false,
    ...(kind === 'dir'
      ? {}
      : { version: { root: 'aa' as ChunkId, height: 0, size: 1, mtimeMs: 0, dots: [] } }),
  }
  return { key: entryKey(entry), dir: ROOT, localName: name, entry, fingerprint }
}

/** What one scan decides, one word each, sorted. Entries are named by where they stood. */
function decide(before: Disk, after: Disk, options: { overdue?: boolean; hidden?: string[] } = {}): string[] {
  const rows = new Map(Object.entries(before).map(([name, token]) => [name, row(name, token)]))
  const found = new Map(Object.entries(after).map(([name, token]) => [name, stat(token)]))
  const owners = (of: FileStat) => [...rows.values()].filter(({ fingerprint }) => fingerprint.ino === of.ino)
  const whereabouts = (key: string): Whereabouts => {
    const owner = [...rows.values()].find((each) => each.key === key)!
    const there = found.get(owner.localName)
    if (!there) return { state: 'absent' }
    if (sameIdentity(there, owner.fingerprint)) return { state: 'same' }
    const known = owners(there).some((other) => other.key !== key)
    return { state: 'other', kind: there.kind, known }
  }
  const findings = diffDirectory({
    found,
    hidden: new Set(options.hidden),
    rows,
    ownersOf: owners,
    whereabouts,
    mayWait: () => true,
  })
  const dir = DirRef.root('9')
  const words: string[] = []
  const moved: Moved[] = []
  const occupied: Occupied[] = []
  const missing: SyncedRow[] = []
  for (const finding of findings) {
    if (finding.type === 'create') words.push(`create ${finding.name}`)
    else if (finding.type === 'verify') words.push(`read ${finding.row.localName}`)
    else if (finding.type === 'move') moved.push({ ...finding, dir })
    else if (finding.type === 'occupied') occupied.push({ ...finding, dir, name: finding.row.localName })
    else if (finding.type === 'missing') missing.push(finding.row)
  }
  const result = resolve({ moved, occupied, missing }, () => options.overdue === true)
  for (const { row, name } of result.moves) words.push(`move ${row.localName}→${name}`)
  for (const { name } of result.creates) words.push(`create ${name}`)
  for (const { row } of result.verifies) words.push(`read ${row.localName}`)
  for (const { row } of result.rebinds) words.push(`rebind ${row.localName}`)
  for (const { localName } of result.deletes) words.push(`delete ${localName}`)
  for (const { localName } of result.missing) words.push(`gone ${localName}`)
  const names = new Map([...rows.values()].map(({ key, localName }) => [key, localName]))
  if (result.waiting.length > 0)
    words.push(
      `wait ${result.waiting
        .map((key) => names.get(key))
        .sort()
        .join(' ')}`,
    )
  return words.sort()
}

describe('what a scan says about one directory', () => {
  const cases: [rule: string, before: Disk, after: Disk, expected: string[]][] = [
    ['nothing changed: nothing is said', { a: 'f1', d: 'd2' }, { a: 'f1', d: 'd2' }, []],
    ['a new name with a new inode is a creation', {}, { a: 'f1' }, ['create a']],
    ['other stamps: the bytes are read', { a: 'f1' }, { a: "f1'" }, ['read a']],
    ['a name that vanished is gone', { a: 'f1' }, {}, ['gone a']],
    ['a rename is a move', { a: 'f1' }, { b: 'f1' }, ['move a→b']],
    ['a rename with an edit is a move', { a: 'f1' }, { b: "f1'" }, ['move a→b']],
    ['save by rename is an edit', { a: 'f1' }, { a: 'f2' }, ['read a']],
    [
      'save by rename with a backup: the old inode under a new name is a new file',
      { a: 'f1' },
      { a: 'f2', 'a~': 'f1' },
      ['create a~', 'read a'],
    ],
    ['a swap is two moves', { a: 'f1', b: 'f2' }, { a: 'f2', b: 'f1' }, ['move a→b', 'move b→a']],
    [
      'a rotation of three is three moves',
      { a: 'f1', b: 'f2', c: 'f3' },
      { a: 'f3', b: 'f1', c: 'f2' },
      ['move a→b', 'move b→c', 'move c→a'],
    ],
    ['a chain of renames is moves', { a: 'f1', b: 'f2' }, { b: 'f1', c: 'f2' }, ['move a→b', 'move b→c']],
    [
      'rename over: the content of the target was replaced, the other goes with it',
      { a: 'f1', b: 'f2' },
      { b: 'f1' },
      ['delete a', 'read b'],
    ],
    ['a directory follows its inode', { d: 'd1' }, { e: 'd1' }, ['move d→e']],
    [
      'a directory that was renamed and made anew: a move and a creation',
      { d: 'd1' },
      { d: 'd2', e: 'd1' },
      ['create d', 'move d→e'],
    ],
    [
      'a swap of directories is two moves',
      { a: 'd1', b: 'd2' },
      { a: 'd2', b: 'd1' },
      ['move a→b', 'move b→a'],
    ],
    ['a directory that was replaced waits', { d: 'd1' }, { d: 'd2' }, ['wait d']],
    ['a file that became a directory waits', { a: 'f1' }, { a: 'd2' }, ['wait a']],
    [
      'a file that moved away from a directory of its name',
      { a: 'f1' },
      { a: 'd2', b: 'f1' },
      ['create a', 'move a→b'],
    ],
    [
      'a directory renamed over another waits, and nothing of it is gone meanwhile',
      { d: 'd1', e: 'd2' },
      { e: 'd1' },
      ['wait d e'],
    ],
    [
      'a file renamed over another waits beside a directory that was replaced: all are looked at again',
      { a: 'f1', b: 'f2', d: 'd3' },
      { a: 'f2', d: 'd4' },
      ['wait a b d'],
    ],
    ['a symlink is compared like a file', { a: 'l1' }, { a: 'l2' }, ['read a']],
    ['a file in place of a symlink waits', { a: 'l1' }, { a: 'f2' }, ['wait a']],
  ]
  test.each(cases)('%s', (_rule, before, after, expected) => {
    expect(decide(before, after)).toEqual(expected)
  })

  test('a directory that stays replaced is the same entry', () => {
    expect(decide({ d: 'd1' }, { d: 'd2' }, { overdue: true })).toEqual(['rebind d'])
  })

  test('a file that stays replaced by a directory is deleted in the batch that creates the directory', () => {
    expect(decide({ a: 'f1' }, { a: 'd2' }, { overdue: true })).toEqual(['create a', 'delete a'])
  })

  test('a directory that stays renamed over another: a move and a deletion in one batch', () => {
    const decided = decide({ d: 'd1', e: 'd2' }, { e: 'd1' }, { overdue: true })
    expect(decided).toEqual(['delete e', 'move d→e'])
  })

  test('what is hidden is not gone', () => {
    expect(decide({ a: 'f1' }, {}, { hidden: ['a'] })).toEqual([])
  })
})

describe('what stands here, while the place that it had cannot be looked at', () => {
  const findingOf = (before: Disk, after: Disk, mayWait: boolean) => {
    const rows = Object.entries(before).map(([name, token]) => row(name, token))
    const inA = rows.filter(({ localName }) => localName === 'a')
    const findings = diffDirectory({
      found: new Map(Object.entries(after).map(([name, token]) => [name, stat(token)])),
      hidden: new Set(),
      rows: new Map(inA.map((each) => [each.localName, each])),
      ownersOf: (of) => rows.filter(({ fingerprint }) => fingerprint.ino === of.ino),
      whereabouts: () => ({ state: 'unknown' }),
      mayWait: () => mayWait,
    })
    return findings.map(({ type }) => type)
  }
  const cases: [what: string, before: Disk, after: Disk, later: string][] = [
    ['a file under a new name', { far: 'f1' }, { b: 'f1' }, 'create'],
    ['a directory under a new name', { far: 'd1' }, { b: 'd1' }, 'create'],
    ['a file in the place of another', { far: 'f1', a: 'f2' }, { a: 'f1' }, 'occupied'],
  ]
  test.each(cases)('%s waits, but not for long', (_, before, after, later) => {
    expect(findingOf(before, after, true)).toEqual(['unclear'])
    expect(findingOf(before, after, false)).toEqual([later])
  })

  test('a file that nobody knows waits for nothing', () => {
    expect(findingOf({ far: 'f1' }, { b: 'f2' }, true)).toEqual(['create'])
  })
})

test('a file with several links is moved only with equal size and time', () => {
  const links = { ...row('a', 'f1'), fingerprint: { ...row('a', 'f1').fingerprint, nlink: 2 } }
  const decideFor = (after: FileStat) =>
    diffDirectory({
      found: new Map([['b', after]]),
      hidden: new Set(),
      rows: new Map(),
      ownersOf: () => [links],
      whereabouts: () => ({ state: 'absent' }),
      mayWait: () => true,
    })[0]?.type
  expect(decideFor({ ...stat('f1'), nlink: 2 })).toBe('move')
  expect(decideFor({ ...stat("f1'"), nlink: 2 })).toBe('create')
})
