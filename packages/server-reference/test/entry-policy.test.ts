import type { HubWrite } from '@tidemark/engine'
import {
  type DeviceId,
  type Loc,
  type NodeEntry,
  ROOT,
  type Sibling,
  type SpaceName,
} from '@tidemark/protocol'
import { expect, test } from 'vitest'
import { entryPolicy, firstOf } from '../src/entry-policy.js'

const sibling = <V>(value: V): Sibling<V> => ({
  dot: { rid: 'a'.repeat(16) as never, seq: 1 },
  ctx: { vector: new Map(), except: [] },
  hlc: { ms: 1, counter: 0 },
  value,
})

function write(path: readonly string[], { size = 1, dead = false, isEdit = false } = {}): HubWrite {
  const loc: Loc = { parent: ROOT, name: path.at(-1)!, dead }
  const entry: NodeEntry = {
    id: '1'.repeat(32) as never,
    kind: 'file',
    loc: isEdit ? [] : [sibling(loc)],
    content: [sibling({ height: 0, size, mtimeMs: 0 })],
    attr: [],
  }
  const [space, device] = ['photos' as SpaceName, 'b'.repeat(16) as DeviceId]
  return { space, device, write: entry, held: undefined, path: async () => path }
}

const codesOf = async (names: readonly string[], ...writes: readonly HubWrite[]) => {
  const refuse = entryPolicy({ refuseNames: names, fileBytesMax: 1_000 })!
  return Promise.all(writes.map(async (each) => (await refuse(each))?.code))
}

test('names are held against patterns, those of directories above too, whatever their case and form', async () => {
  const codes = await codesOf(
    ['*.exe', 'caf\u00e9', 'a*b*c', '~$*'],
    write(['game.EXE']),
    write(['bin.exe', 'readme']),
    write(['cafe\u0301']),
    write(['abc']),
    write(['axxbyyc']),
    write(['~$report.docx']),
  )
  expect(codes).toEqual(Array(6).fill('NAME_REFUSED'))
  const fine = await codesOf(['*.exe', 'a*b*c', 'ab*ba'], write(['exe']), write(['acb']), write(['aba']))
  expect(fine).toEqual([undefined, undefined, undefined])
})

test('of several names at once each counts', async () => {
  const both = write(['fine'])
  const [first] = both.write.loc
  const loc = [first!, { ...first!, value: { ...first!.value, name: 'x.exe' } }]
  expect(await codesOf(['*.exe'], { ...both, write: { ...both.write, loc } })).toEqual(['NAME_REFUSED'])
})

test('an edit keeps a name that it has, and what has one may go', async () => {
  const [edit, deletion] = [write(['x.exe'], { isEdit: true }), write(['x.exe'], { dead: true })]
  expect(await codesOf(['*.exe'], edit, deletion)).toEqual([undefined, undefined])
})

test('a file may have so many bytes and no more', async () => {
  const codes = await codesOf([], write(['f'], { size: 1_000 }), write(['f'], { size: 1_001 }))
  expect(codes).toEqual([undefined, 'FILE_TOO_LARGE'])
})

test('a long hostile name takes no time', async () => {
  const pattern = `${'*a'.repeat(127)}b`
  const startMs = performance.now()
  expect(await codesOf([pattern], write(['a'.repeat(255)]))).toEqual([undefined])
  expect(performance.now() - startMs).toBeLessThan(1_000)
})

test('where nothing is refused nobody is asked', async () => {
  expect(entryPolicy({ refuseNames: [], fileBytesMax: undefined })).toBeUndefined()
  expect(firstOf(undefined, undefined)).toBeUndefined()
  const both = firstOf(
    () => undefined,
    () => ({ code: 'NO', message: 'no' }),
  )!
  expect(await both(write(['f']))).toMatchObject({ code: 'NO' })
})
