import * as fsp from 'node:fs/promises'
import { join } from 'node:path'
import {
  BLOB_BYTES_MAX,
  type BlobId,
  BlobMismatchError,
  parseSpaceName,
  type SpaceName,
} from '@tidemark/protocol'
import { afterEach, describe, expect, test } from 'vitest'
import { fsBlobStore } from '../src/index.js'
import { blobOf, idOf, SPACE, temporaryDirectory } from './http-fixture.js'

const directories: string[] = []
async function directory(): Promise<string> {
  const made = await temporaryDirectory()
  directories.push(made)
  return made
}
afterEach(async () => {
  for (const made of directories.splice(0)) await fsp.rm(made, { recursive: true, force: true })
})

describe('layout', () => {
  test('a blob is at blobs/<2 hex>/<space>/<sha256>, and nothing is left in incoming', async () => {
    const dir = await directory()
    const store = fsBlobStore({ directory: dir })
    const blob = blobOf(400_000)
    await store.put(SPACE, blob.id, blob.bytes)
    const path = join(dir, 'blobs', blob.id.slice(0, 2), 'photos', blob.id)
    expect(idOf(await fsp.readFile(path))).toBe(blob.id)
    expect(await fsp.readdir(join(dir, 'incoming'))).toEqual([])
  })

  test('spaces do not see each other', async () => {
    const store = fsBlobStore({ directory: await directory() })
    const blob = blobOf(10)
    await store.put(SPACE, blob.id, blob.bytes)
    expect(await store.stat(parseSpaceName('music'), blob.id)).toBeUndefined()
  })

  test('a name that is no id or no space never becomes a path', async () => {
    const store = fsBlobStore({ directory: await directory() })
    const { id, bytes } = blobOf(10)
    const badId = '../../../../etc/passwd' as BlobId
    await expect(store.put('../x' as SpaceName, id, bytes)).rejects.toThrow(TypeError)
    await expect(store.read(SPACE, badId, { offset: 0, length: 1 })).rejects.toThrow(TypeError)
    await expect(store.stat('' as SpaceName, id)).rejects.toThrow(TypeError)
    await expect(store.delete(SPACE, badId)).rejects.toThrow(TypeError)
    await expect(store.grantGet(SPACE, badId)).rejects.toThrow(TypeError)
  })
})

describe('put', () => {
  test('wrong bytes are refused and leave nothing', async () => {
    const dir = await directory()
    const store = fsBlobStore({ directory: dir })
    for (const length of [10, 500_000]) {
      const blob = blobOf(length)
      await expect(store.put(SPACE, blob.id, blobOf(length).bytes)).rejects.toThrow(BlobMismatchError)
      await expect(store.put(SPACE, blob.id, blob.bytes.subarray(1))).rejects.toThrow(BlobMismatchError)
      expect(await store.stat(SPACE, blob.id)).toBeUndefined()
    }
    expect(await fsp.readdir(join(dir, 'incoming'))).toEqual([])
  })

  test.each(['blobs/<2 hex>/<space>', 'blobs/<2 hex>', 'blobs', 'incoming'])(
    'directories that are removed while the store runs are made anew: %s',
    async (removed) => {
      const dir = await directory()
      const store = fsBlobStore({ directory: dir })
      const blob = blobOf(1_000)
      await store.put(SPACE, blob.id, blob.bytes)
      // Twice: what was made anew is known again.
      for (let i = 0; i < 2; i++) {
        const path = removed.replace('<2 hex>', blob.id.slice(0, 2)).replace('<space>', SPACE)
        await fsp.rm(join(dir, path), { recursive: true })
        await Promise.all([1, 2, 3].map(() => store.put(SPACE, blob.id, blob.bytes)))
        expect(await store.stat(SPACE, blob.id)).toBe(1_000)
      }
    },
  )

  test.each(['moved away', 'not mounted'])(
    'a store that is %s takes nothing until it is back',
    async (how) => {
      const above = await directory()
      const dir = join(above, 'store')
      const away = join(above, 'away')
      const store = fsBlobStore({ directory: dir })
      const [blob, other] = [blobOf(1_000), blobOf(1_000)]
      await store.put(SPACE, blob.id, blob.bytes)
      await fsp.rename(dir, away)
      if (how === 'not mounted') await fsp.mkdir(dir)
      const before = await fsp.readdir(above, { recursive: true })
      for (const { id, bytes } of [other, blob])
        await expect(store.put(SPACE, id, bytes)).rejects.toMatchObject({ name: 'StoreError', status: 503 })
      expect(await fsp.readdir(above, { recursive: true })).toEqual(before)
      if (how === 'not mounted') await fsp.rmdir(dir)
      await fsp.rename(away, dir)
      await store.put(SPACE, other.id, other.bytes)
      expect([await store.stat(SPACE, blob.id), await store.stat(SPACE, other.id)]).toEqual([1_000, 1_000])
    },
  )

  test('a store that goes while a blob is written does not take it', async () => {
    const dir = join(await directory(), 'store')
    const open: typeof fsp.open = async (path, ...rest) => {
      const handle = await fsp.open(path, ...rest)
      if (String(path).includes('incoming')) await fsp.rm(dir, { recursive: true })
      return handle
    }
    const store = fsBlobStore({ directory: dir, fileSystem: { ...fsp, open } })
    const { id, bytes } = blobOf(1_000)
    await expect(store.put(SPACE, id, bytes)).rejects.toMatchObject({ name: 'StoreError', status: 503 })
    await expect(fsp.stat(dir)).rejects.toMatchObject({ code: 'ENOENT' })
  })

  test('a blob longer than the limit is refused', async () => {
    const store = fsBlobStore({ directory: await directory() })
    const { id } = blobOf(1)
    await expect(store.put(SPACE, id, new Uint8Array(BLOB_BYTES_MAX + 1))).rejects.toMatchObject({
      code: 'LIMIT',
    })
    await expect(store.grantPut(SPACE, { id, length: BLOB_BYTES_MAX + 1 })).rejects.toThrow(RangeError)
    await expect(store.grantPut(SPACE, { id, length: -1 })).rejects.toThrow(RangeError)
  })

  test('a failure after the bytes were written leaves nothing', async () => {
    for (const failing of ['rename', 'sync'] as const) {
      const dir = await directory()
      const fail = () => Promise.reject(Object.assign(new Error('io'), { code: 'EIO' }))
      const fileSystem = {
        ...fsp,
        ...(failing === 'rename' ? { rename: fail } : {}),
        open: (async (...args: Parameters<typeof fsp.open>) => {
          const handle = await fsp.open(...args)
          if (failing === 'sync' && args[1] === 'wx') handle.sync = fail
          return handle
        }) as typeof fsp.open,
      }
      const store = fsBlobStore({ directory: dir, secret: new Uint8Array(32), fileSystem })
      const blob = blobOf(10)
      await expect(store.put(SPACE, blob.id, blob.bytes)).rejects.toMatchObject({ code: 'STORE' })
      expect(await store.stat(SPACE, blob.id)).toBeUndefined()
      expect(await fsp.readdir(join(dir, 'incoming'))).toEqual([])
    }
  })

  test('the bytes are synced before they get their name, and the name before the put resolves', async () => {
    const steps: string[] = []
    const dir = await directory()
    const fileSystem = {
      ...fsp,
      rename: async (from: string, to: string) => {
        steps.push('rename')
        await fsp.rename(from, to)
      },
      open: (async (...args: Parameters<typeof fsp.open>) => {
        const handle = await fsp.open(...args)
        const sync = handle.sync.bind(handle)
        handle.sync = async () => {
          await sync()
          steps.push(args[1] === 'wx' ? 'sync file' : `sync ${String(args[0]).slice(dir.length + 1)}`)
        }
        return handle
      }) as typeof fsp.open,
    }
    const store = fsBlobStore({
      directory: dir,
      secret: new Uint8Array(32),
      fileSystem: fileSystem as typeof fsp,
    })
    await store.open()
    steps.length = 0
    const blob = blobOf(10)
    await store.put(SPACE, blob.id, blob.bytes)
    const shard = `blobs/${blob.id.slice(0, 2)}`
    const renamed = steps.indexOf('rename')
    expect(new Set(steps.slice(0, renamed))).toEqual(new Set(['sync file', 'sync blobs', `sync ${shard}`]))
    expect(steps.slice(renamed)).toEqual(['rename', `sync ${shard}/photos`])
  })

  test('an aborted put stores nothing', async () => {
    const store = fsBlobStore({ directory: await directory() })
    const blob = blobOf(2_000_000)
    const controller = new AbortController()
    const put = store.put(SPACE, blob.id, blob.bytes, { signal: controller.signal })
    controller.abort()
    await expect(put).rejects.toThrow(/abort/)
    expect(await store.stat(SPACE, blob.id)).toBeUndefined()
  })

  test('a stored blob whose bytes have rotted is repaired by the next put', async () => {
    const dir = await directory()
    const store = fsBlobStore({ directory: dir })
    const blob = blobOf(1_000)
    await store.put(SPACE, blob.id, blob.bytes)
    await fsp.writeFile(join(dir, 'blobs', blob.id.slice(0, 2), 'photos', blob.id), Buffer.alloc(1_000))
    await store.put(SPACE, blob.id, blob.bytes)
    expect(Buffer.from(await store.read(SPACE, blob.id, { offset: 0, length: 1_000 }))).toEqual(blob.bytes)
  })
})

describe('start', () => {
  test('what a killed process left in incoming is swept', async () => {
    const dir = await directory()
    await fsBlobStore({ directory: dir }).open()
    await fsp.writeFile(join(dir, 'incoming', '123-abc'), 'torn')
    await fsBlobStore({ directory: dir }).open()
    expect(await fsp.readdir(join(dir, 'incoming'))).toEqual([])
  })

  test('the key is readable by its owner only, and grants outlive a restart', async () => {
    const dir = await directory()
    const { id } = blobOf(10)
    const clock = { nowMs: () => 1_800_000_000_000 }
    const before = await fsBlobStore({ directory: dir, clock }).grantGet(SPACE, id)
    expect((await fsp.stat(join(dir, 'grant-secret'))).mode & 0o777).toBe(0o600)
    expect(await fsBlobStore({ directory: dir, clock }).grantGet(SPACE, id)).toEqual(before)
  })

  test('a damaged key is a typed error, and is not replaced', async () => {
    const dir = await directory()
    await fsp.writeFile(join(dir, 'grant-secret'), 'short')
    const store = fsBlobStore({ directory: dir })
    await expect(store.open()).rejects.toMatchObject({ code: 'STORE' })
    expect(await fsp.readFile(join(dir, 'grant-secret'), 'utf8')).toBe('short')
    await fsp.rm(join(dir, 'grant-secret'))
    await store.open()
  })

  test('listing yields every blob of the space in order, and nothing else', async () => {
    const dir = await directory()
    const store = fsBlobStore({ directory: dir })
    const blobs = Array.from({ length: 20 }, () => blobOf(5))
    await Promise.all(blobs.map((blob) => store.put(SPACE, blob.id, blob.bytes)))
    await fsp.writeFile(join(dir, 'blobs', blobs[0]!.id.slice(0, 2), 'photos', 'stray'), 'x')
    const listed: string[] = []
    for await (const id of store.list(SPACE)) listed.push(id)
    expect(listed).toEqual(blobs.map(({ id }) => id).sort())
    await store.delete(SPACE, blobs[3]!.id)
    await store.delete(SPACE, blobs[3]!.id)
    expect(await store.stat(SPACE, blobs[3]!.id)).toBeUndefined()
  })
})
