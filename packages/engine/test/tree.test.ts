import {
  type Loc,
  type NodeEntry,
  type NodeId,
  type NodeKind,
  type ReplicaId,
  ROOT,
} from '@tidemark/protocol'
import { beforeEach, describe, expect, it } from 'vitest'
import { MemoryKeyValueStore } from '../src/adapters/memory-store.js'
import { joinEntries, makeSibling } from '../src/core/register.js'
import { resolveGroup } from '../src/core/view/names.js'
import { namesDisturbedBy, suffixedName } from '../src/core/view/tags.js'
import type { ViewChange, ViewEntry } from '../src/core/view-entry.js'
import { decodeEntry, encodeEntry } from '../src/database/entry-row.js'
import { Transaction } from '../src/database/transaction.js'
import { Tree } from '../src/database/tree.js'
import type { KeyRange } from '../src/ports/key-value-store.js'
import { sha256 } from './graphs.js'

const RID = 'a'.repeat(16) as ReplicaId
const idOf = (n: number) => n.toString(16).padStart(32, '0') as NodeId
const D1 = idOf(0xd1)
const D2 = idOf(0xd2)
const UNKNOWN = idOf(0xff)

let seq = 0
const nextDot = () => ({ rid: RID, seq: ++seq })

function node(id: NodeId, kind: NodeKind, loc: Partial<Loc>, root = '1'): NodeEntry {
  const value: Loc = { parent: ROOT, name: 'a', dead: false, ...loc }
  const of = <V>(v: V) => [
    makeSibling({ register: [], observed: [], dot: nextDot(), hlc: { ms: seq, counter: 0 }, value: v }),
  ]
  const content = { root: root.repeat(64) as never, height: 0, size: 1, mtimeMs: 0 }
  return { id, kind, loc: of(value), content: kind === 'file' ? of(content) : [], attr: [] }
}

/** A later loc write that saw all that `entry` holds. */
function rewritten(entry: NodeEntry, loc: Partial<Loc>): NodeEntry {
  const value = { ...entry.loc[0]!.value, ...loc }
  const hlc = { ms: seq, counter: 0 }
  return {
    ...entry,
    loc: [makeSibling({ register: entry.loc, observed: entry.loc, dot: nextDot(), hlc, value })],
    content: [],
  }
}

/** Counts rows that are read. */
class CountingStore extends MemoryKeyValueStore {
  reads = 0
  override get(key: string) {
    this.reads++
    return super.get(key)
  }
  override getMany(keys: readonly string[]) {
    this.reads += keys.length
    return super.getMany(keys)
  }
  override async *range(range: KeyRange) {
    for await (const page of super.range(range)) {
      this.reads += page.length
      yield page
    }
  }
}

describe('tree', () => {
  let store: CountingStore
  let tree: Tree

  beforeEach(() => {
    store = new CountingStore()
    tree = new Tree({ prefix: 't/', sha256 })
    seq = 0
  })

  async function join(...entries: NodeEntry[]): Promise<readonly ViewChange[]> {
    const txn = new Transaction(store)
    const { changes } = await tree.join(txn, entries)
    await txn.commit({ sync: false })
    return changes
  }

  async function childrenOf(parent: NodeId): Promise<ViewEntry[]> {
    const found: ViewEntry[] = []
    for await (const page of tree.reader(store).children(parent)) found.push(...page)
    return found
  }

  const namesIn = async (parent: NodeId) => (await childrenOf(parent)).map((entry) => entry.name).sort()

  async function readsOf(...entries: NodeEntry[]): Promise<number> {
    const before = store.reads
    await join(...entries)
    return store.reads - before
  }

  const filesIn = (parent: NodeId, count: number) =>
    Array.from({ length: count }, (_, i) => node(idOf(0x1000 + i), 'file', { parent, name: `f${i}` }))

  it('renaming a directory is one change, whatever is inside', async () => {
    const directory = node(D1, 'dir', { name: 'photos' })
    await join(directory, ...filesIn(D1, 500))
    const changes = await join(rewritten(directory, { name: 'pictures', from: ROOT }))
    expect(changes).toHaveLength(1)
    expect(await tree.reader(store).resolve(['pictures', 'f7'])).toMatchObject({ parent: D1, name: 'f7' })
  })

  it('a join reads as many rows in a directory of 3,000 as in one of 3', async () => {
    await join(node(D1, 'dir', { name: 'small' }), node(D2, 'dir', { name: 'large' }))
    await join(...filesIn(D1, 3).map((entry) => ({ ...entry, id: `e${entry.id.slice(1)}` as NodeId })))
    await join(...filesIn(D2, 3_000))
    const small = await readsOf(node(idOf(1), 'file', { parent: D1, name: 'x' }))
    expect(await readsOf(node(idOf(2), 'file', { parent: D2, name: 'x' }))).toBe(small)
  })

  it('children that come before their directory do not slow down the joins that follow', async () => {
    await join(...filesIn(UNKNOWN, 2_000))
    expect(await readsOf(node(idOf(1), 'file', { name: 'x' }))).toBeLessThan(20)
    expect(await readsOf(node(idOf(2), 'file', { parent: UNKNOWN, name: 'y' }))).toBeLessThan(20)
  })

  it('children that came before their directory stand at the root until it comes', async () => {
    await join(...filesIn(UNKNOWN, 3))
    expect(await namesIn(ROOT)).toEqual(['f0', 'f1', 'f2'])
    const changes = await join(node(UNKNOWN, 'dir', { name: 'late' }))
    expect(changes).toHaveLength(4)
    expect(await namesIn(ROOT)).toEqual(['late'])
    expect(await namesIn(UNKNOWN)).toEqual(['f0', 'f1', 'f2'])
  })

  it('a moved file whose new directory is not there yet stays where it was moved from', async () => {
    const file = node(idOf(1), 'file', { parent: D1, name: 'f' })
    await join(node(D1, 'dir', { name: 'old' }), file)
    await join(rewritten(file, { parent: UNKNOWN, from: D1 }))
    expect(await namesIn(D1)).toEqual(['f'])
    await join(node(UNKNOWN, 'dir', { name: 'new' }))
    expect(await namesIn(D1)).toEqual([])
    expect(await namesIn(UNKNOWN)).toEqual(['f'])
  })

  it('a node whose parent is a file, or itself, stands at the root', async () => {
    await join(node(idOf(1), 'file', { name: 'f' }), node(D1, 'dir', { parent: idOf(1), name: 'in a file' }))
    await join(node(D2, 'dir', { parent: D2, name: 'in itself' }))
    expect(await namesIn(ROOT)).toEqual(['f', 'in a file', 'in itself'])
  })

  it('a directory without any place holds nothing: what names it as parent stands at the root', async () => {
    await join({ id: D1, kind: 'dir', loc: [], content: [], attr: [] }, ...filesIn(D1, 1))
    expect(await namesIn(ROOT)).toEqual(['f0'])
    await join(node(D1, 'dir', { name: 'd' }))
    expect(await namesIn(ROOT)).toEqual(['d'])
    expect(await namesIn(D1)).toEqual(['f0'])
  })

  it('a cycle of dead directories goes with the last file in it, unchanged members too', async () => {
    const file = node(idOf(1), 'file', { parent: D1, name: 'f' })
    await join(node(D1, 'dir', { parent: D2, name: 'x', dead: true }), file)
    await join(node(D2, 'dir', { parent: D1, name: 'y', dead: true }))
    expect(await namesIn(ROOT)).toEqual(['y'])
    expect(await namesIn(D2)).toEqual(['x'])
    const moved = await join(rewritten(file, { parent: ROOT, from: D1 }))
    expect(moved).toHaveLength(3)
    expect(await namesIn(ROOT)).toEqual(['f'])
    expect(await namesIn(D2)).toEqual([])
  })

  it('a name that a suffix would have, claimed by somebody, makes the suffix longer, cut names too', async () => {
    const name = `${'n'.repeat(248)}.txt`
    await join(node(idOf(1), 'file', { name }, '1'), node(idOf(2), 'file', { name }, '2'))
    const clash = (await childrenOf(ROOT)).find((entry) => entry.role === 'clash')!
    const typed = node(idOf(3), 'file', { name: clash.name }, '3')
    await join(typed)
    const names = await namesIn(ROOT)
    expect(names).toContain(clash.name)
    expect(new Set(names).size).toBe(3)
    await join(rewritten(typed, { name: 'other', from: ROOT }))
    expect((await childrenOf(ROOT)).find((entry) => entry.role === 'clash')).toEqual(clash)
  })

  it('directories with one name merge, and separate again with their own children', async () => {
    const [first, second] = [node(D1, 'dir', { name: 'd' }), node(D2, 'dir', { name: 'd' })]
    await join(first, second)
    await join(
      node(idOf(1), 'file', { parent: D1, name: 'one' }),
      node(idOf(2), 'file', { parent: D2, name: 'two' }),
    )
    expect(await childrenOf(ROOT)).toMatchObject([{ name: 'd', node: D1, backing: [D1, D2] }])
    expect(await namesIn(D2)).toEqual(['one', 'two'])
    await join(rewritten(second, { name: 'e', from: ROOT }))
    expect(await namesIn(D1)).toEqual(['one'])
    expect(await namesIn(D2)).toEqual(['two'])
  })

  it('a tree without view keeps registers and shows nothing', async () => {
    tree = new Tree({ prefix: 't/', sha256, view: false })
    const file = node(idOf(1), 'file', { name: 'f' })
    expect(await join(file)).toEqual([])
    expect(await tree.reader(store).node(file.id)).toEqual(file)
    expect(await namesIn(ROOT)).toEqual([])
  })

  it('the same entry again changes nothing and writes nothing', async () => {
    const file = node(idOf(1), 'file', { name: 'f' })
    await join(file)
    const txn = new Transaction(store)
    expect(await tree.join(txn, [file])).toEqual({ nodes: [], changes: [] })
    expect(txn.size).toBe(0)
  })

  it('an entry that a later join of the same transaction changes is joined with it', async () => {
    const txn = new Transaction(store)
    const file = node(idOf(1), 'file', { name: 'f' })
    const moved = rewritten(file, { name: 'g', from: ROOT })
    await tree.join(txn, [file])
    const { nodes, changes } = await tree.join(txn, [moved])
    expect(nodes).toEqual([joinEntries(file, moved)])
    expect(changes).toMatchObject([{ before: { name: 'f' }, after: { name: 'g' } }])
  })
})

describe('suffixed names', () => {
  const tag = 'abcdefgh'.repeat(7)

  it.each([
    ['f.txt', '', 8],
    ['f', 'conflict ', 20],
    ['.profile', '', 8],
    ['s (abcdefgh).x', '', 8],
    ['s.x (abcdefgh)', 'conflict ', 9],
  ] as const)('%s is disturbed by its own suffixed name', (name, label, length) => {
    expect(namesDisturbedBy(suffixedName(name, label, tag, length)).names).toContain(name)
  })

  it('a name that had to be cut is found by what is left of it', () => {
    const name = `${'é'.repeat(124)}x.txt`
    const shown = suffixedName(name, 'conflict ', tag, 8)
    const { prefixes } = namesDisturbedBy(shown)
    expect(prefixes.some((prefix) => name.startsWith(prefix))).toBe(true)
  })

  it('an ordinary name disturbs nobody', () => {
    expect(namesDisturbedBy('report (final).txt')).toEqual({ names: [], prefixes: [] })
  })
})

describe('name groups', () => {
  const candidate = (entry: NodeEntry) => ({ entry, place: entry.loc[0]! })
  const resolve = (...entries: NodeEntry[]) =>
    resolveGroup(ROOT, entries.map(candidate), () => false, sha256).map(({ node: id, role }) => [id, role])

  beforeEach(() => {
    seq = 0
  })

  it('a node that a pin moved aside never has the literal name', () => {
    expect(resolve(node(idOf(1), 'file', { alt: true }))).toEqual([[idOf(1), 'clash']])
  })

  it('a member that a pin moved aside does not win the name for those that it merges with', () => {
    const aside = node(idOf(1), 'file', { alt: true }, '1')
    const incumbent = node(idOf(2), 'file', {}, '2')
    const late = node(idOf(3), 'file', {}, '1')
    expect(resolve(aside, incumbent, late)).toEqual([
      [idOf(2), 'main'],
      [idOf(1), 'clash'],
    ])
  })

  it('a directory beats a file that was there before', () => {
    const entries = [node(idOf(1), 'file', {}), node(idOf(2), 'dir', {})]
    expect(resolve(...entries)).toEqual([
      [idOf(2), 'main'],
      [idOf(1), 'clash'],
    ])
  })

  it('an entry comes back from its row as it was', () => {
    const version = {
      root: '1'.repeat(64) as never,
      height: 1,
      size: 2 ** 50,
      mtimeMs: -1,
      dots: [nextDot(), nextDot()],
    }
    const entry: ViewEntry = {
      parent: ROOT,
      name: 'ä "b"',
      kind: 'symlink',
      node: D1,
      backing: [D1, D2],
      role: 'clash',
      executable: true,
      version: { ...version, target: '../x' },
    }
    expect(decodeEntry(encodeEntry(entry))).toEqual(entry)
    const { version: _, ...directory } = { ...entry, kind: 'dir' as const, backing: [D1] }
    expect(decodeEntry(encodeEntry(directory))).toEqual(directory)
  })
})
