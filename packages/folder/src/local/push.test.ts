import { chmodSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  type ChunkedFile,
  type CommitResult,
  MemoryKeyValueStore,
  type SpaceBinding,
  type UserOp,
} from '@tidemark/engine'
import { PathError, ROOT, StoreError } from '@tidemark/protocol'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { nodeFileSystem } from '../adapters/node-file-system.js'
import { Problems } from '../problems.js'
import type { SyncedRow } from '../rows.js'
import { RowsStore, rowOps } from '../rows-store.js'
import { DirRef } from './dir-ref.js'
import { sameStamps } from './identity.js'
import type { Item } from './item.js'
import { LargeFiles } from './large-files.js'
import { push } from './push.js'
import type { PushContext } from './push-context.js'
import { RefusedFiles } from './refused.js'
import { Retries } from './retries.js'
import type { Stale } from './stale.js'
import { Unsent } from './unsent.js'

type Version = NonNullable<SyncedRow['entry']['version']>

let retries: Retries
let problems: Problems
let directory: string
let store: MemoryKeyValueStore
let row: SyncedRow
const committed: (readonly UserOp[])[] = []
const touched: string[] = []

beforeEach(async () => {
  committed.length = 0
  touched.length = 0
  directory = mkdtempSync(join(tmpdir(), 'tidemark-push-'))
  store = new MemoryKeyValueStore()
  writeFileSync(join(directory, 'g'), 'v1')
  const fingerprint = nodeFileSystem.lstat(join(directory, 'g'))!
  const node = '1'.repeat(32) as SyncedRow['entry']['node']
  const entry: SyncedRow['entry'] = {
    parent: ROOT,
    name: 'f',
    kind: 'file',
    node,
    backing: [node],
    role: 'main',
    executable: false,
  }
  const made = { key: node, dir: ROOT, localName: 'f', entry, fingerprint }
  await store.batch(rowOps([{ before: undefined, after: made }]), { sync: false })
  row = (await new RowsStore(store).get(node))!
})
afterEach(() => rmSync(directory, { recursive: true }))

/** `f`, found as `g`: see `pushAll`. */
function pushMove(space: Partial<SpaceBinding>, meanwhile?: () => void): Promise<Stale[]> {
  const stat = nodeFileSystem.lstat(join(directory, 'g'))!
  const dir = DirRef.root('1')
  return pushAll(space, [{ type: 'move', path: 'g', row, dir, name: 'g', entryName: 'g', stat }], meanwhile)
}

/**
 * @param meanwhile Happens between the scan and the commit.
 * @param refused A path that the space did not take a moment ago, or that could not be read.
 * @returns what was left out.
 */
async function pushAll(
  space: Partial<SpaceBinding>,
  items: readonly Item[],
  meanwhile: () => void = () => undefined,
  refused?: { readonly path: string; readonly cause?: string; readonly atMs?: number },
  unsent?: Unsent,
): Promise<Stale[]> {
  const clock = { nowMs: Date.now }
  problems = new Problems()
  const rows = new RowsStore(store)
  const parts: Partial<SpaceBinding> = {
    writeRows: (ops, options) => store.batch(ops, options),
    touch: async (keys) => void touched.push(...keys),
    ...space,
  }
  const context: PushContext = {
    // The parts of a binding that a move uses.
    space: parts as SpaceBinding,
    rows,
    files: nodeFileSystem,
    clock,
    directory,
    problems,
    refused: new RefusedFiles(),
    onEvent: () => undefined,
  }
  const large = new LargeFiles({ ...context, onSettled: () => undefined })
  const { signal } = new AbortController()
  retries = new Retries()
  if (refused) {
    const { path, cause = 'refused', atMs = Date.now() } = refused
    retries.failed(path, atMs, false)
    problems.set(path, [{ path, cause, detail: '', fix: '' }])
  }
  const options = { context, large, retries, isImport: false, monotonicMs: Date.now, signal, unsent }
  const stale: Stale[] = []
  await push(items, options, Promise.resolve().then(meanwhile), (each) => stale.push(each))
  return stale
}

const committing: SpaceBinding['commit'] = async (ops) => {
  committed.push(ops)
  return { created: new Map(), changes: [] }
}

test('a move of a file whose row became another file by the group before is left out and looked at again', async () => {
  const fingerprint = { ...row.fingerprint, ino: '99', size: 7 }
  await store.batch(rowOps([{ before: row, after: { ...row, fingerprint } }]), { sync: false })
  const stale = await pushMove({ commit: committing })
  expect(stale.map(({ item }) => item.path)).toEqual(['g'])
  expect(committed.flat()).toEqual([])
})

test('a row that the synced tree does not know is dropped, and what stands there is found as new', async () => {
  const stale = await pushMove({
    commit: async () => {
      throw new PathError('NOT_FOUND', 'f')
    },
    synced: { entry: async () => undefined } as unknown as SpaceBinding['synced'],
  })
  expect(stale.map(({ item }) => item.path)).toEqual(['g'])
  expect(touched).toEqual([row.key])
  expect(await new RowsStore(store).get(row.key)).toBeUndefined()
})

test('of what nobody shows any more, and has only another mode here, the row says that mode', async () => {
  const version = { root: 'a'.repeat(64), height: 0, size: 2, mtimeMs: 1, dots: [] } as unknown as Version
  const held = { ...row, localName: 'g', entry: { ...row.entry, name: 'g', version } }
  await store.batch(rowOps([{ before: row, after: held }]), { sync: false })
  const rows = new RowsStore(store)
  chmodSync(join(directory, 'g'), 0o755)
  const stat = nodeFileSystem.lstat(join(directory, 'g'))!
  const stored = (await rows.get(row.key))!
  const nothing = { entry: async () => undefined }
  const stale = await pushAll(
    {
      chunk: async () => ({ root: version.root, height: 0, size: 2 }) as unknown as ChunkedFile,
      commit: async () => {
        throw new PathError('NOT_FOUND', 'g')
      },
      synced: nothing as unknown as SpaceBinding['synced'],
      received: nothing as unknown as SpaceBinding['received'],
    },
    [{ type: 'verify', path: 'g', row: stored, stat }],
  )
  const after = (await rows.get(row.key))!
  expect([after.entry.executable, after.entry.version?.root]).toEqual([true, version.root])
  expect(sameStamps(after.fingerprint, stat)).toBe(true)
  expect([stale, touched]).toEqual([[], [row.key]])
})

test('a deletion of a file that stood here in another version than the synced tree shows does not take that one away', async () => {
  const version = (digit: string) => {
    return { root: digit.repeat(64), height: 0, size: 2, mtimeMs: 1, dots: [] } as unknown as Version
  }
  const held = { ...row, localName: 'g', entry: { ...row.entry, version: version('a') } }
  await store.batch(rowOps([{ before: row, after: held }]), { sync: false })
  const stored = (await new RowsStore(store).get(row.key))!
  rmSync(join(directory, 'g'))
  const top = { path: 'g', row: stored }
  const item: Item = { type: 'delete', path: 'g', row: stored, top, isDisplaced: false, isIgnored: false }
  const entry = { ...row.entry, version: version('b') }
  const stale = await pushAll(
    {
      commit: committing,
      dirty: async () => [row.key],
      synced: { entry: async () => entry } as unknown as SpaceBinding['synced'],
    },
    [item],
  )
  expect(stale.map(({ item, isRowless }) => [item.path, isRowless])).toEqual([['g', true]])
  expect(touched).toEqual([row.key])
  expect(committed).toEqual([])
  expect(await new RowsStore(store).get(row.key)).toBeUndefined()
})

test('a directory is not deleted while something in it is not, as when the group before could not be sent', async () => {
  const node = '2'.repeat(32) as SyncedRow['entry']['node']
  const entry: SyncedRow['entry'] = { ...row.entry, node, backing: [node], name: 'd', kind: 'dir' }
  const made = { ...row, key: node, localName: 'd', entry }
  const inside = { ...row, dir: node }
  const changes = [
    { before: undefined, after: made },
    { before: row, after: inside },
  ]
  await store.batch(rowOps(changes), { sync: false })
  const [d, f] = await new RowsStore(store).getMany([node, row.key])
  const top = { path: 'd', row: d! }
  const deletion = (path: string, of: SyncedRow): Item => {
    return { type: 'delete', path, row: of, top, isDisplaced: false, isIgnored: false }
  }
  const stale = await pushAll({ commit: committing }, [deletion('d', d!)])
  expect(stale.map(({ item }) => item.path)).toEqual(['d'])
  expect(committed).toEqual([])
  await pushAll({ commit: committing }, [deletion('d/f', f!), deletion('d', d!)])
  expect(committed.flat()).toMatchObject([
    { type: 'delete', entry: row.key },
    { type: 'delete', entry: node },
  ])
  // Of what is only noted the rows stay.
  const unsent = new Unsent()
  const received = { entry: async (key: string) => (await new RowsStore(store).get(key))?.entry }
  const space = { received } as unknown as SpaceBinding
  expect(await pushAll(space, [deletion('d', d!)], undefined, undefined, unsent)).toEqual([])
  unsent.settle()
  expect(unsent.size).toBe(1)
})

test('[FB10] a moved file that is saved by rename before the move is sent is looked for at its old place too', async () => {
  const stale = await pushMove({ commit: committing }, () => {
    writeFileSync(join(directory, 'draft'), 'saved')
    renameSync(join(directory, 'draft'), join(directory, 'g'))
  })
  expect(stale.map(({ directories }) => directories)).toEqual([['']])
  expect(committed.flat()).toEqual([])
})

test('[FB10] a moved file that is written to before the move is sent is moved', async () => {
  const stale = await pushMove({ commit: committing }, () => writeFileSync(join(directory, 'g'), 'more'))
  expect(stale).toEqual([])
  expect(committed.flat()).toMatchObject([{ type: 'move', entry: row.key, name: 'g' }])
})

/** `f`, found as `g` in a directory. */
function movedTo(dir: DirRef): Item {
  const stat = nodeFileSystem.lstat(join(directory, 'g'))!
  return { type: 'move', path: 'g', row, dir, name: 'g', entryName: 'g', stat }
}

test('[FB13] a file that was only moved, because its last attempt was refused, is looked at again', async () => {
  writeFileSync(join(directory, 'g'), 'longer than before')
  await pushAll({ commit: committing }, [movedTo(DirRef.root('1'))], undefined, { path: 'g' })
  expect(committed.flat().map(({ type }) => type)).toEqual(['move'])
  expect(retries.nextMs).toBeGreaterThan(0)
})

test('[FB13] of a directory that stands where a file could not be read nothing waits', async () => {
  mkdirSync(join(directory, 'd'))
  const dir = DirRef.root('1')
  const made = nodeFileSystem.lstat(join(directory, 'd'))!
  const item: Item = { type: 'create', path: 'd', dir, name: 'd', entryName: 'd', stat: made }
  await pushAll({ commit: committing }, [item], undefined, { path: 'd', cause: 'unreadable' })
  expect(committed.flat().map(({ type }) => type)).toEqual(['create'])
  expect(retries.nextMs).toBeUndefined()
})

test('a move into a directory that the group before did not make is left out, and looked for at both places', async () => {
  const stale = await pushAll({ commit: committing }, [movedTo(DirRef.created('d', '5', 'dir 1'))])
  expect(stale.map(({ item, directories }) => [item.path, directories])).toEqual([['g', ['']]])
  expect(committed).toEqual([])
})

test('[FB10] of two files that swap their names none is sent when one of them has gone elsewhere meanwhile', async () => {
  writeFileSync(join(directory, 'f'), 'v2')
  const statOf = (name: string) => nodeFileSystem.lstat(join(directory, name))!
  const node = '2'.repeat(32) as SyncedRow['entry']['node']
  const entry = { ...row.entry, node, backing: [node], name: 'g' }
  const made: SyncedRow = { key: node, dir: ROOT, localName: 'g', entry, fingerprint: statOf('f') }
  await store.batch(rowOps([{ before: undefined, after: made }]), { sync: false })
  const other = (await new RowsStore(store).get(node))!
  const dir = DirRef.root('1')
  const stale = await pushAll(
    { commit: committing },
    [
      movedTo(dir),
      { type: 'move', path: 'f', row: other, dir, name: 'f', entryName: 'f', stat: statOf('f') },
    ],
    () => renameSync(join(directory, 'f'), join(directory, 'elsewhere')),
  )
  expect(stale.map(({ item }) => item.path)).toEqual(['f', 'g'])
  expect(committed).toEqual([])
})

/** A space that takes moves, and no batch with a directory called `bad` in it. */
const refusingBad: SpaceBinding['commit'] = async (ops, withRows) => {
  if (ops.some((op) => op.type === 'create' && op.name === 'bad')) throw new PathError('NOT_FOUND', 'bad')
  committed.push(ops)
  const changes = ops.map((op) => {
    const { entry: key, name } = op as UserOp & { type: 'move' }
    const node = key as SyncedRow['entry']['node']
    const before = { ...row.entry, node, backing: [node] }
    return { key, before, after: { ...before, name } }
  })
  const result: CommitResult = { created: new Map(), changes }
  await store.batch((await withRows!(result)).ops, { sync: false })
  return result
}

test.each([
  ['first', true],
  ['last', false],
])(
  '[FB10] two files that swap their names have one row each, whatever else of their batch is refused (%s)',
  async (_, isFirst) => {
    writeFileSync(join(directory, 'f'), 'v2')
    mkdirSync(join(directory, 'bad'))
    const statOf = (name: string) => nodeFileSystem.lstat(join(directory, name))!
    const node = '2'.repeat(32) as SyncedRow['entry']['node']
    const entry = { ...row.entry, node, backing: [node], name: 'g' }
    const other: SyncedRow = { key: node, dir: ROOT, localName: 'g', entry, fingerprint: statOf('f') }
    await store.batch(rowOps([{ before: undefined, after: other }]), { sync: false })
    const rows = new RowsStore(store)
    const moved = async (name: string, key: SyncedRow['key']): Promise<Item> => {
      const was = (await rows.get(key))!
      const dir = DirRef.root('1')
      return { type: 'move', path: name, row: was, dir, name, entryName: name, stat: statOf(name) }
    }
    const moves = [await moved('g', row.key), await moved('f', node)]
    const dir = DirRef.root('1')
    const bad: Item = { type: 'create', path: 'bad', dir, name: 'bad', entryName: 'bad', stat: statOf('bad') }
    const synced = { entry: async () => entry } as unknown as SpaceBinding['synced']
    const stale = await pushAll({ commit: refusingBad, synced }, isFirst ? [bad, ...moves] : [...moves, bad])
    // What was not sent is looked at again; of what was, there is one row at one place.
    const sent = committed.flat().map((op) => (op as UserOp & { type: 'move' }).entry)
    expect([...sent, ...stale.map(({ item }) => 'row' in item && item.row.key)]).toEqual([row.key, node])
    for (const key of sent) {
      const { dir, localName } = (await rows.get(key))!
      expect((await rows.at(dir, localName))!.key).toBe(key)
    }
    expect(await rows.count()).toBe(sent.length)
    expect(retries.mustWait('bad', Date.now()), 'what is refused is not tried again at once').toBe(true)
  },
)

/** Files of a size that is read once to be chunked, and again to be stored. */
function middleSized(names: readonly string[]): Item[] {
  return names.map((name) => {
    writeFileSync(join(directory, name), Buffer.alloc(300_000, name))
    const stat = nodeFileSystem.lstat(join(directory, name))!
    return { type: 'create', path: name, dir: DirRef.root('1'), name, entryName: name, stat }
  })
}

/** @param meanwhile Happens between the chunking of files and the first attempt to store them. */
function storing(meanwhile: () => void): {
  readonly space: Partial<SpaceBinding>
  readonly stored: string[]
} {
  const stored: string[] = []
  let isFirst = true
  const space: Partial<SpaceBinding> = {
    commit: committing,
    chunk: async (source) => {
      const bytes = await source.read(0, source.size)
      return { root: String.fromCharCode(bytes[0]!), height: 1, size: source.size } as unknown as ChunkedFile
    },
    ensureStored: async (uploads) => {
      if (isFirst) meanwhile()
      isFirst = false
      for (const { file, open } of uploads) {
        const source = await open()
        try {
          await source.read(0, source.size)
        } finally {
          await source.close()
        }
        stored.push(file.root)
      }
    },
  }
  return { space, stored }
}

test.each<[string, () => void]>([
  ['is written to', () => writeFileSync(join(directory, 'b'), 'x', { flag: 'a' })],
  ['is gone', () => rmSync(join(directory, 'b'))],
])(
  '[FB1] a file that %s between its chunking and its upload does not keep the others from being sent',
  async (_, act) => {
    const { space, stored } = storing(act)
    await pushAll(space, middleSized(['a', 'b', 'c', 'd', 'e']))
    const names = committed.flat().map((op) => (op as UserOp & { type: 'create' }).name)
    expect(names).toEqual(['a', 'c', 'd', 'e'])
    expect([...new Set(stored)].sort()).toEqual(['a', 'c', 'd', 'e'])
  },
)

test('[FB1] a file that is written to before each upload waits longer and longer, and is a problem by name', async () => {
  const { space } = storing(() => writeFileSync(join(directory, 'b'), 'x', { flag: 'a' }))
  await pushAll(space, middleSized(['b']), undefined, { path: 'b', atMs: 0 })
  expect(committed).toEqual([])
  expect(problems.list().map(({ cause }) => cause)).toEqual(['changing'])
  expect(retries.nextMs! - Date.now()).toBeGreaterThan(1_000)
})

test('what the store refuses of all is not blamed on a file', async () => {
  const { space } = storing(() => {
    throw new StoreError('down')
  })
  await expect(pushAll(space, middleSized(['a', 'b']))).rejects.toThrow('down')
  expect(retries.nextMs).toBeUndefined()
})
