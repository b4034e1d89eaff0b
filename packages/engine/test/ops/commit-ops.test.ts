import { type NodeId, ROOT } from '@tidemark/protocol'
import { describe, expect, it } from 'vitest'
import { chosenLoc, visibleContents } from '../../src/core/visibility.js'
import { bytes, create, makeDirectory, meet, rootOf, User } from './user.js'

const pair = () => [new User('A'), new User('B')] as const

/** `f` with a winner and one conflict copy, on both disks. @returns the paths of the copy and the roots. */
async function conflicted() {
  const [a, b] = pair()
  await a.commit([create('f', 'v0')])
  await meet(a, b)
  await a.commit([{ type: 'edit', entry: await a.keyAt('f'), content: bytes('by A') }])
  await b.commit([{ type: 'edit', entry: await b.keyAt('f'), content: bytes('by B') }])
  await meet(a, b)
  const disk = await a.disk()
  const copyPath = [...disk.keys()].find((path) => path !== 'f')!
  return { a, b, copyPath, winner: disk.get('f')!, copy: disk.get(copyPath)! }
}

const shown = async (user: User): Promise<string[]> => [...(await user.disk()).values()]
const asObject = async (user: User) => Object.fromEntries(await user.disk())

describe('conflict copies', () => {
  it('B1: saving the winner twice leaves the copy, saving the copy twice leaves the winner', async () => {
    const { a, b, copyPath, copy } = await conflicted()
    for (const text of ['second', 'third']) {
      await b.commit([{ type: 'edit', entry: await b.keyAt('f'), content: bytes(text) }])
    }
    await meet(a, b)
    expect(await asObject(a)).toEqual({ f: rootOf('third'), [copyPath]: copy })
    for (const text of ['copy 2', 'copy 3']) {
      await b.commit([{ type: 'edit', entry: await b.keyAt(copyPath), content: bytes(text) }])
    }
    await meet(a, b)
    expect(await asObject(a)).toEqual({ f: rootOf('third'), [copyPath]: rootOf('copy 3') })
    expect(await asObject(b)).toEqual(await asObject(a))
  })

  it('B2: a deletion hides what it knew from edits and re-creations elsewhere', async () => {
    const [a, b] = pair()
    await a.commit([create('f', 'v1')])
    await meet(a, b)
    await a.commit([{ type: 'delete', entry: await a.keyAt('f') }])
    await b.commit([{ type: 'edit', entry: await b.keyAt('f'), content: bytes('v2') }])
    await a.commit([create('f', 'v3')])
    await meet(a, b)
    expect((await shown(a)).sort()).toEqual([rootOf('v2'), rootOf('v3')].sort())
    expect(await asObject(b)).toEqual(await asObject(a))
  })

  it('B2: bytes that were deleted before a move stay deleted after it', async () => {
    const [a, b] = pair()
    await a.commit([create('f', 'v1')])
    await a.commit([{ type: 'delete', entry: await a.keyAt('f') }])
    await a.commit([create('f', 'v2')])
    await meet(a, b)
    await b.commit([{ type: 'move', entry: await b.keyAt('f'), parent: { node: ROOT }, name: 'g' }])
    await meet(a, b)
    expect(await asObject(a)).toEqual({ g: rootOf('v2') })
  })

  it('B3: an edited copy keeps its name and the winner keeps its own', async () => {
    const { a, b, copyPath, winner } = await conflicted()
    await a.commit([{ type: 'edit', entry: await a.keyAt(copyPath), content: bytes('edited') }])
    expect(await asObject(a)).toEqual({ f: winner, [copyPath]: rootOf('edited') })
    await meet(a, b)
    expect(await asObject(b)).toEqual({ f: winner, [copyPath]: rootOf('edited') })
  })

  it('B3: deleting a copy does not conflict with an edit of the winner elsewhere', async () => {
    const { a, b, copyPath } = await conflicted()
    await a.commit([{ type: 'delete', entry: await a.keyAt(copyPath) }])
    await b.commit([{ type: 'edit', entry: await b.keyAt('f'), content: bytes('new') }])
    await meet(a, b)
    expect(await asObject(a)).toEqual({ f: rootOf('new') })
    expect(await asObject(b)).toEqual({ f: rootOf('new') })
  })

  it('B3: deleting the winner leaves the copy under its name, and deleting that too ends the node', async () => {
    const { a, b, copyPath, copy } = await conflicted()
    await a.commit([{ type: 'delete', entry: await a.keyAt('f') }])
    await meet(a, b)
    expect(await asObject(b)).toEqual({ [copyPath]: copy })
    await b.commit([{ type: 'delete', entry: await b.keyAt(copyPath) }])
    await meet(a, b)
    expect(await asObject(a)).toEqual({})
    expect(a.nodes().every(({ loc }) => loc.every(({ value }) => value.dead))).toBe(true)
  })

  it('B3: moving the winner does not drag the copy along', async () => {
    const { a, b, copyPath, winner, copy } = await conflicted()
    await a.commit([{ type: 'move', entry: await a.keyAt('f'), parent: { node: ROOT }, name: 'g' }])
    await meet(a, b)
    expect(await asObject(b)).toEqual({ g: winner, [copyPath]: copy })
  })

  it('B9: a copy moved onto the name of the winner that the same batch deletes is kept', async () => {
    const { a, b, copyPath, copy } = await conflicted()
    await a.commit([
      { type: 'delete', entry: await a.keyAt('f') },
      { type: 'move', entry: await a.keyAt(copyPath), parent: { node: ROOT }, name: 'f' },
    ])
    await meet(a, b)
    expect(await asObject(a)).toEqual({ f: copy })
    expect(await asObject(b)).toEqual({ f: copy })
  })

  it('a file whose versions are all deleted in one batch gets a tombstone and no voids', async () => {
    const { a, copyPath } = await conflicted()
    const entry = await a.at('f')
    await a.commit([
      { type: 'delete', entry: await a.keyAt('f') },
      { type: 'delete', entry: await a.keyAt(copyPath) },
    ])
    const node = a.nodes().find(({ id }) => id === entry.node)!
    expect(node.content.map(({ value }) => value.root)).toHaveLength(2)
    expect(node.content.some(({ value }) => value.root === undefined)).toBe(false)
    expect(await asObject(a)).toEqual({})
  })
})

describe('pins', () => {
  /** Two nodes of one name, made on two devices. */
  async function clashed() {
    const [a, b] = pair()
    await a.commit([create('f', 'of A')])
    await b.commit([create('f', 'of B')])
    await meet(a, b)
    const disk = await a.disk()
    const clashPath = [...disk.keys()].find((path) => path !== 'f')!
    return { a, b, clashPath, main: disk.get('f')!, clash: disk.get(clashPath)! }
  }

  it('B4: the file with the suffix keeps it when the one with the name goes', async () => {
    const { a, b, clashPath, clash } = await clashed()
    await a.commit([{ type: 'delete', entry: await a.keyAt('f') }])
    expect(await asObject(a)).toEqual({ [clashPath]: clash })
    await meet(a, b)
    expect(await asObject(b)).toEqual({ [clashPath]: clash })
    await b.commit([create('f', 'new')])
    await meet(a, b)
    expect(await asObject(a)).toEqual({ f: rootOf('new'), [clashPath]: clash })
  })

  it('B4: a pin is no sign of life against a deletion that knew what it stands for', async () => {
    const { a, b, clashPath } = await clashed()
    await a.commit([{ type: 'delete', entry: await a.keyAt('f') }])
    await b.commit([{ type: 'delete', entry: await b.keyAt(clashPath) }])
    await meet(a, b)
    expect(await asObject(a)).toEqual({})
    expect(await asObject(b)).toEqual({})
  })

  it('B4: a move elsewhere wins over a pin', async () => {
    const { a, b, clashPath, clash } = await clashed()
    await b.commit([{ type: 'move', entry: await b.keyAt(clashPath), parent: { node: ROOT }, name: 'mine' }])
    await a.commit([{ type: 'delete', entry: await a.keyAt('f') }])
    await meet(a, b)
    expect(await asObject(a)).toEqual({ mine: clash })
  })

  it('B4: a renamed file loses the mark of its pin', async () => {
    const { a, b, clashPath, clash } = await clashed()
    await a.commit([{ type: 'delete', entry: await a.keyAt('f') }])
    await a.commit([{ type: 'move', entry: await a.keyAt(clashPath), parent: { node: ROOT }, name: 'f' }])
    await meet(a, b)
    expect(await asObject(b)).toEqual({ f: clash })
  })

  it('a pin keeps the literal name: a conflict copy of the node keeps its own', async () => {
    const { a, b, clashPath } = await clashed()
    await a.commit([{ type: 'edit', entry: await a.keyAt(clashPath), content: bytes('one') }])
    await b.commit([{ type: 'edit', entry: await b.keyAt(clashPath), content: bytes('two') }])
    await meet(a, b)
    const before = await asObject(a)
    await a.commit([{ type: 'delete', entry: await a.keyAt('f') }])
    const { f: _gone, ...rest } = before
    expect(await asObject(a)).toEqual(rest)
  })

  it('an edited file keeps its suffix (seed 100: the suffix followed the bytes)', async () => {
    const { a, clashPath, main } = await clashed()
    await a.commit([{ type: 'edit', entry: await a.keyAt(clashPath), content: bytes('new') }])
    expect(await asObject(a)).toEqual({ f: main, [clashPath]: rootOf('new') })
  })

  it('an edited file keeps its suffix when the same batch frees the name (seed 539)', async () => {
    const { a, b, clashPath } = await clashed()
    await a.commit([
      { type: 'delete', entry: await a.keyAt('f') },
      { type: 'edit', entry: await a.keyAt(clashPath), content: bytes('new') },
    ])
    await meet(a, b)
    expect(await asObject(b)).toEqual({ [clashPath]: rootOf('new') })
  })

  it('the file with the name and the one with the suffix can be swapped (seed 949)', async () => {
    const { a, b, clashPath, main, clash } = await clashed()
    await a.commit([
      { type: 'move', entry: await a.keyAt('f'), parent: { node: ROOT }, name: clashPath },
      { type: 'move', entry: await a.keyAt(clashPath), parent: { node: ROOT }, name: 'f' },
    ])
    await meet(a, b)
    expect(await asObject(b)).toEqual({ f: clash, [clashPath]: main })
  })
})

describe('what is done at the same time elsewhere', () => {
  it('edit and delete: the edit survives, with a living place', async () => {
    const [a, b] = pair()
    await a.commit([create('f', 'v1')])
    await meet(a, b)
    await a.commit([{ type: 'delete', entry: await a.keyAt('f') }])
    await b.receive(a.nodes())
    await b.commit([{ type: 'edit', entry: await b.keyAt('f'), content: bytes('v2') }])
    await meet(a, b)
    expect(await asObject(a)).toEqual({ f: rootOf('v2') })
    const node = a.nodes().find(({ content }) => content.some(({ value }) => value.root === rootOf('v2')))!
    expect(chosenLoc(node)!.value.dead).toBe(false)
  })

  it('move and delete: the move survives', async () => {
    const [a, b] = pair()
    await a.commit([create('f', 'v1')])
    await meet(a, b)
    await a.commit([{ type: 'delete', entry: await a.keyAt('f') }])
    await b.commit([{ type: 'move', entry: await b.keyAt('f'), parent: { node: ROOT }, name: 'g' }])
    await meet(a, b)
    expect(await asObject(a)).toEqual({ g: rootOf('v1') })
    await a.commit([{ type: 'delete', entry: await a.keyAt('g') }])
    await meet(a, b)
    expect(await asObject(b)).toEqual({})
  })

  it('new child and directory delete: the child and its directories survive', async () => {
    const [a, b] = pair()
    await a.commit([makeDirectory('d'), { ...makeDirectory('e'), parent: { ref: 'd' } } as never])
    await meet(a, b)
    const inner = await b.at('d/e')
    await a.commit([
      { type: 'delete', entry: await a.keyAt('d/e') },
      { type: 'delete', entry: await a.keyAt('d') },
    ])
    await b.receive(a.nodes())
    await b.commit([create('x', 'child', inner.node)])
    await meet(a, b)
    expect(await asObject(a)).toEqual({ d: 'dir', 'd/e': 'dir', 'd/e/x': rootOf('child') })
    await a.commit([{ type: 'delete', entry: await a.keyAt('d/e/x') }])
    await meet(a, b)
    expect(await asObject(b)).toEqual({ d: 'dir', 'd/e': 'dir' })
  })

  it('a deleted directory that stood for one new child stays when that child is moved out (seed 20212)', async () => {
    const [a, b] = pair()
    await a.commit([makeDirectory('d')])
    await meet(a, b)
    await b.commit([create('x', 'child', (await b.at('d')).node)])
    await a.commit([{ type: 'delete', entry: await a.keyAt('d') }])
    await meet(a, b)
    await b.commit([{ type: 'move', entry: await b.keyAt('d/x'), parent: { node: ROOT }, name: 'x' }])
    expect(await asObject(b)).toEqual({ d: 'dir', x: rootOf('child') })
  })

  it('the inner one of two directories that were moved into each other can be renamed (seed 75374)', async () => {
    const [a, b] = pair()
    await a.commit([makeDirectory('p')])
    const p = (await a.at('p')).node
    await a.commit([makeDirectory('d', p), makeDirectory('e', p)])
    await meet(a, b)
    const [d, e] = [(await a.at('p/d')).node, (await a.at('p/e')).node]
    await a.commit([{ type: 'move', entry: d, parent: { node: e }, name: 'd' }])
    await b.commit([{ type: 'move', entry: e, parent: { node: d }, name: 'e' }])
    await meet(a, b)
    const outer = [...(await a.disk()).keys()].find((path) => /^p\/.$/.test(path))!
    const inner = [...(await a.disk()).keys()].find((path) => path.startsWith(`${outer}/`))!
    await a.commit([
      { type: 'move', entry: await a.keyAt(inner), parent: { node: (await a.at(outer)).node }, name: 'p' },
    ])
    const expected = { p: 'dir', [outer]: 'dir', [`${outer}/p`]: 'dir' }
    expect(await asObject(a)).toEqual(expected)
    await meet(a, b)
    expect(await asObject(b)).toEqual(expected)
  })

  it('a node that everybody else has collected comes back whole when its user moves it', async () => {
    const [a, b] = pair()
    await a.commit([makeDirectory('d'), { ...create('f', 'kept'), parent: { ref: 'd' } } as never])
    await b.materialise(a.nodes())
    await b.commit([
      { type: 'move', entry: await b.keyAt('d/f'), parent: { node: (await b.at('d')).node }, name: 'g' },
    ])
    const expected = { d: 'dir', 'd/g': rootOf('kept') }
    expect(Object.fromEntries(await b.disk(b.received))).toEqual(expected)
    const c = new User('C')
    await meet(b, c)
    expect(await asObject(c)).toEqual(expected)
  })

  it('a context names what stood on the disk, not what was received since', async () => {
    const [a, b] = pair()
    await a.commit([create('f', 'v0')])
    await meet(a, b)
    await a.commit([{ type: 'edit', entry: await a.keyAt('f'), content: bytes('v1') }])
    await b.receive(a.nodes())
    await b.commit([{ type: 'edit', entry: await b.keyAt('f'), content: bytes('v2') }])
    await meet(a, b)
    expect((await shown(a)).sort()).toEqual([rootOf('v1'), rootOf('v2')].sort())
  })

  it('a delete from an old state leaves the edit that it did not see', async () => {
    const [a, b] = pair()
    await a.commit([create('f', 'v0')])
    await meet(a, b)
    await a.commit([{ type: 'edit', entry: await a.keyAt('f'), content: bytes('v1') }])
    await a.commit([{ type: 'edit', entry: await a.keyAt('f'), content: bytes('v2') }])
    await b.receive(a.nodes())
    await b.commit([{ type: 'delete', entry: await b.keyAt('f') }])
    await meet(a, b)
    expect(await asObject(b)).toEqual({ f: rootOf('v2') })
  })
})

describe('imports', () => {
  const importOps = (text: string) => [
    { ...makeDirectory('d'), import: true } as never,
    { ...create('f', text), parent: { ref: 'd' }, import: true } as never,
  ]

  it('two devices that import equal trees write the same nodes', async () => {
    const [a, b] = pair()
    await a.commit(importOps('same'))
    await b.commit(importOps('same'))
    expect(a.nodes().map(({ id }) => id)).toEqual(b.nodes().map(({ id }) => id))
    await meet(a, b)
    expect(await asObject(a)).toEqual({ d: 'dir', 'd/f': rootOf('same') })
    expect(a.nodes()).toHaveLength(2)
  })

  it('adopted bytes are a conflict copy, the shown version keeps the name', async () => {
    const [a, b] = pair()
    await a.commit([create('f', 'theirs')])
    await meet(a, b)
    const entry = await b.keyAt('f')
    await b.commit([{ type: 'adopt', entry, content: bytes('found on disk') }])
    await meet(a, b)
    const disk = await asObject(a)
    expect(disk.f).toBe(rootOf('theirs'))
    expect(Object.values(disk)).toContain(rootOf('found on disk'))
  })

  it('adopting bytes that are a version already writes nothing', async () => {
    const [a, b] = pair()
    await a.commit([create('f', 'same')])
    await meet(a, b)
    const result = await b.commit([{ type: 'adopt', entry: await b.keyAt('f'), content: bytes('same') }])
    expect(result.nodes).toEqual([])
  })
})

describe('merged entries', () => {
  it('an edit of equal files with one name leaves one node, whichever device deletes later', async () => {
    const [a, b] = pair()
    await a.commit([create('f', 'same')])
    await b.commit([create('f', 'same')])
    await meet(a, b)
    expect((await a.at('f')).backing).toHaveLength(2)
    await a.commit([{ type: 'edit', entry: await a.keyAt('f'), content: bytes('new') }])
    expect((await a.at('f')).backing).toHaveLength(1)
    await meet(a, b)
    expect(await asObject(b)).toEqual({ f: rootOf('new') })
    await b.commit([{ type: 'delete', entry: await b.keyAt('f') }])
    await meet(a, b)
    expect(await asObject(a)).toEqual({})
  })

  it('a move of a merged directory takes every node behind it', async () => {
    const [a, b] = pair()
    await a.commit([makeDirectory('d')])
    await b.commit([makeDirectory('d')])
    await a.commit([create('x', 'of A', (await a.at('d')).node)])
    await b.commit([create('y', 'of B', (await b.at('d')).node)])
    await meet(a, b)
    await a.commit([{ type: 'move', entry: await a.keyAt('d'), parent: { node: ROOT }, name: 'e' }])
    await meet(a, b)
    expect(await asObject(b)).toEqual({ e: 'dir', 'e/x': rootOf('of A'), 'e/y': rootOf('of B') })
  })
})

describe('one batch', () => {
  it('swaps two names', async () => {
    const [a] = pair()
    await a.commit([create('x', '1'), create('y', '2')])
    await a.commit([
      { type: 'move', entry: await a.keyAt('x'), parent: { node: ROOT }, name: 'y' },
      { type: 'move', entry: await a.keyAt('y'), parent: { node: ROOT }, name: 'x' },
    ])
    expect(await asObject(a)).toEqual({ x: rootOf('2'), y: rootOf('1') })
  })

  it('turns a directory and its child inside out', async () => {
    const [a] = pair()
    await a.commit([makeDirectory('p'), { ...makeDirectory('q'), parent: { ref: 'p' } } as never])
    const [p, q] = [await a.at('p'), await a.at('p/q')]
    await a.commit([
      { type: 'move', entry: p.node, parent: { node: q.node }, name: 'p' },
      { type: 'move', entry: q.node, parent: { node: ROOT }, name: 'q' },
    ])
    expect(await asObject(a)).toEqual({ q: 'dir', 'q/p': 'dir' })
  })

  it('keeps the executable bit of a split-out version, and sets it', async () => {
    const { a, copyPath } = await conflicted()
    await a.commit([{ type: 'attr', entry: await a.keyAt('f'), executable: true }])
    expect((await a.at('f')).executable).toBe(true)
    await a.commit([{ type: 'move', entry: await a.keyAt(copyPath), parent: { node: ROOT }, name: 'g' }])
    expect((await a.at('g')).executable).toBe(true)
    await a.commit([{ type: 'attr', entry: await a.keyAt('g'), executable: false }])
    expect((await a.at('g')).executable).toBe(false)
    expect((await a.at('f')).executable).toBe(true)
  })

  it('an edit to equal bytes writes nothing', async () => {
    const [a] = pair()
    await a.commit([create('f', 'same')])
    const { nodes } = await a.commit([{ type: 'edit', entry: await a.keyAt('f'), content: bytes('same') }])
    expect(nodes).toEqual([])
  })

  it('creation at the place of a tombstone is a new life of that node', async () => {
    const [a] = pair()
    await a.commit([create('f', 'v1')])
    const first = await a.at('f')
    await a.commit([{ type: 'delete', entry: first.node }])
    await a.commit([create('f', 'v2')])
    expect((await a.at('f')).node).toBe(first.node)
    expect(visibleContents(a.nodes()[0]!)).toHaveLength(1)
  })

  it('refuses what cannot be, and then changes nothing', async () => {
    const [a] = pair()
    await a.commit([create('f', '1'), makeDirectory('d')])
    const [f, d] = [await a.at('f'), await a.at('d')]
    await expect(a.commit([create('f', '2')])).rejects.toMatchObject({ code: 'EXISTS' })
    await expect(a.commit([create('x', '2'), create('x', '3')])).rejects.toThrow(TypeError)
    await expect(a.commit([create('x', '2', f.node)])).rejects.toMatchObject({ code: 'NOT_A_DIRECTORY' })
    await expect(a.commit([create('x', '2', rootOf('?').slice(0, 32) as NodeId)])).rejects.toMatchObject({
      code: 'NOT_FOUND',
    })
    await expect(a.commit([create('.tidemark', '2')])).rejects.toMatchObject({ code: 'INVALID_NAME' })
    await expect(a.commit([create('a/b', '2')])).rejects.toMatchObject({ code: 'INVALID_NAME' })
    const inside = { type: 'move', entry: d.node, parent: { node: d.node }, name: 'd' } as const
    await expect(a.commit([inside])).rejects.toMatchObject({ code: 'INVALID_NAME' })
    await expect(a.commit([{ type: 'delete', entry: 'none' }])).rejects.toMatchObject({ code: 'NOT_FOUND' })
    await expect(
      a.commit([
        { type: 'delete', entry: f.node },
        { type: 'edit', entry: f.node, content: bytes('2') },
      ]),
    ).rejects.toThrow(TypeError)
    expect(await asObject(a)).toEqual({ f: rootOf('1'), d: 'dir' })
  })

  it('holds thousands of ops, at a cost that grows with their number', async () => {
    const [a] = pair()
    const names = Array.from({ length: 3_000 }, (_, i) => `n${i}`)
    await a.commit([
      makeDirectory('d'),
      ...names.map((name) => ({ ...create(name, name), parent: { ref: 'd' } }) as never),
    ])
    const moves = names.map(async (name, i) => ({
      type: 'move' as const,
      entry: await a.keyAt(`d/${name}`),
      parent: { node: ROOT },
      name: names[(i + 1) % names.length]!,
    }))
    await a.commit(await Promise.all(moves))
    expect((await a.at('n0')).version!.root).toBe(rootOf('n2999'))
    expect((await a.disk()).size).toBe(3_001)
  }, 20_000)
})
