import { SourceChangedError, StoreError } from '@tidemark/protocol'
import { expect, test } from 'vitest'
import { MemorySource, seededBytes } from '../../test/bytes.js'
import { MemorySink, SPACE, uploadOf, type World, world } from '../../test/transfer-fixture.js'
import { BodyCompressor } from './body-compressor.js'
import { Downloader } from './downloader.js'
import { Uploader } from './uploader.js'

const MIB = 2 ** 20

function textOf(length: number): Uint8Array {
  const bytes = new Uint8Array(length)
  for (let i = 0; i < length; i++) bytes[i] = 97 + ((i ^ (i >> 8) ^ (i >> 13)) % 21)
  return bytes
}

async function storedBytes({ hub }: World): Promise<number> {
  let sum = 0
  for await (const blob of hub.store.list(SPACE)) sum += (await hub.store.stat(SPACE, blob))!
  return sum
}

test('a file of text takes a part of its bytes up and down, and comes as it was', async () => {
  const it = world()
  const bytes = textOf(20 * MIB)
  const progress: number[] = []
  const file = await new Uploader(it).store(new MemorySource(bytes), {
    onProgress: (durable) => progress.push(durable),
  })
  expect(progress.at(-1)).toBe(bytes.length)
  expect(await storedBytes(it)).toBeLessThan(bytes.length / 2)
  const sink = new MemorySink(file.size)
  await new Downloader(it).fetch(file, sink)
  expect(Buffer.compare(sink.bytes, bytes)).toBe(0)
  expect(it.hub.bytesRead).toBeLessThan(bytes.length / 2)
})

test('files by their manifests, and many small ones, are compressed too', async () => {
  const it = world()
  const parts = [
    textOf(3 * MIB),
    seededBytes(3, MIB),
    ...Array.from({ length: 500 }, (_, i) => textOf(8_000 + i)),
  ]
  const uploads = await Promise.all(parts.map(uploadOf))
  await new Uploader(it).ensureStored(uploads)
  expect(await storedBytes(it)).toBeLessThan(4 * MIB)
  for (const { file, bytes } of uploads.slice(0, 10)) {
    const sink = new MemorySink(file.size)
    await new Downloader(it).fetch(file, sink)
    expect(Buffer.compare(sink.bytes, bytes)).toBe(0)
  }
})

test('what goes by message stays plain', async () => {
  const it = world()
  const { root } = await new Uploader(it).store(new MemorySource(textOf(9_000)))
  expect(it.hub.calls).toEqual(['need', 'putInline'])
  expect(it.hub.places.get(root)).toMatchObject([{ codec: 0, length: 9_000 }])
})

test('switched off, the store holds plain bytes', async () => {
  const it = world()
  const compression = new BodyCompressor({ ...it, mode: 'off' })
  const bytes = textOf(2 * MIB)
  await new Uploader({ ...it, compression }).store(new MemorySource(bytes))
  expect(await storedBytes(it)).toBeGreaterThan(bytes.length)
})

test('a compressed body whose upload fails is sent again as it is', async () => {
  const it = world()
  let failures = 3
  const sent = new Set<number>()
  const { client } = it.hub
  const counting = {
    ...client,
    put: async (...args: Parameters<typeof client.put>) => {
      sent.add(args[1].length)
      if (failures-- > 0) throw new StoreError('busy', 503)
      return client.put(...args)
    },
  }
  const bytes = textOf(2 * MIB)
  const file = await new Uploader({ ...it, client: () => counting }).store(new MemorySource(bytes))
  expect(sent.size).toBe(1)
  const sink = new MemorySink(file.size)
  await new Downloader(it).fetch(file, sink)
  expect(Buffer.compare(sink.bytes, bytes)).toBe(0)
})

test('a source that changed after it was chunked is found out before anything is compressed', async () => {
  const it = world()
  const upload = await uploadOf(textOf(2 * MIB))
  upload.source.bytes[MIB]! ^= 1
  let deflated = 0
  const compression = new BodyCompressor({
    ...it,
    compressor: {
      ...it.compressor,
      deflate: async () => {
        deflated += 1
        return undefined
      },
    },
  })
  await expect(new Uploader({ ...it, compression }).ensureStored([upload])).rejects.toBeInstanceOf(
    SourceChangedError,
  )
  expect(deflated).toBe(0)
})

test('a compressor that fails ends the upload, and gives back what it took', async () => {
  const it = world()
  let isBroken = true
  const compressor = {
    ...it.compressor,
    deflate: async (bytes: Uint8Array) => {
      if (isBroken) throw new Error('broken')
      return it.compressor.deflate(bytes)
    },
  }
  const uploader = new Uploader({ ...it, compression: new BodyCompressor({ ...it, compressor }) })
  const bytes = textOf(60 * MIB)
  const source = () => new MemorySource(bytes)
  await expect(uploader.store(source())).rejects.toThrow('broken')
  isBroken = false
  await uploader.store(source())
  expect(await storedBytes(it)).toBeLessThan(30 * MIB)
})
