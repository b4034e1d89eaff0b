import { bytesToHex, SourceChangedError } from '@tidemark/protocol'
import { describe, expect, test } from 'vitest'
import { seededBytes } from '../../test/bytes.js'
import { SPACE, uploadOf, type World, world } from '../../test/transfer-fixture.js'
import { MemoryKeyValueStore } from '../adapters/memory-store.js'
import type { ChunkedFile } from '../binding.js'
import { chunkIdAt } from '../chunking/chunk-list.js'
import { nodeHasher } from '../node/node-hasher.js'
import type { ByteSource } from '../ports/byte-source.js'
import { UploadJournal } from './upload-journal.js'
import { Uploader } from './uploader.js'

const MIB = 2 ** 20
const BYTES = seededBytes(21, 50 * MIB)

class Source implements ByteSource {
  bytesRead = 0
  readonly size: number

  constructor(readonly bytes: Uint8Array) {
    this.size = bytes.length
  }

  async read(offset: number, length: number): Promise<Uint8Array> {
    this.bytesRead += length
    return this.bytes.slice(offset, offset + length)
  }

  async close(): Promise<void> {}
}

/** What survives a crash, and a new uploader over it for each life. */
class Device {
  readonly store = new MemoryKeyValueStore()

  constructor(readonly world: World) {}

  uploader(): Uploader {
    const database = {
      rows: this.store,
      writeRows: (ops: Parameters<MemoryKeyValueStore['batch']>[0], options: { sync: boolean }) =>
        this.store.batch(ops, options),
    }
    return new Uploader({ ...this.world, journal: new UploadJournal({ database, hasher: nodeHasher }) })
  }

  async rows(): Promise<string[]> {
    const keys: string[] = []
    for await (const page of this.store.range({ gte: '', lt: '~' })) for (const [key] of page) keys.push(key)
    return keys
  }
}

const resume = (fingerprint: string, isSettled = true) => ({ fingerprint, isSettled: () => isSettled })

/** Stores until `puts` packs were begun, then ends as a crash does. */
async function crash(device: Device, source: ByteSource, puts: number, isSettled = true): Promise<void> {
  const { hub } = device.world
  const abort = new AbortController()
  const before = hub.count('put')
  hub.before = (call) => {
    if (call === 'put' && hub.count('put') - before === puts) abort.abort(new Error('killed'))
  }
  const storing = device.uploader().store(source, { signal: abort.signal, resume: resume('f', isSettled) })
  await expect(storing).rejects.toThrow('killed')
  hub.before = () => undefined
}

function expectWhole({ hub }: World, file: ChunkedFile, expected: ChunkedFile): void {
  expect(file).toEqual(expected)
  for (let i = 0; i < file.chunks.count; i++) expect(hub.places.has(chunkIdAt(file.chunks, i))).toBe(true)
  for (const { id } of file.manifest) expect(hub.places.has(id)).toBe(true)
}

describe('a file whose upload was killed', () => {
  test('is read on from where it was, named as if it had been read whole, and then forgotten', async () => {
    const device = new Device(world())
    await crash(device, new Source(BYTES), 4)
    const source = new Source(BYTES)
    const file = await device.uploader().store(source, { resume: resume('f') })
    expectWhole(device.world, file, (await uploadOf(BYTES)).file)
    // Not again what the hub has; what was read but did not arrive is read again.
    expect(source.bytesRead).toBeLessThan(BYTES.length - 16 * MIB)
    expect(await device.rows()).toEqual([])
  })

  test('is read from its start when it changed in between', async () => {
    const device = new Device(world())
    await crash(device, new Source(BYTES), 4)
    const edited = BYTES.slice()
    edited[MIB]! ^= 1
    const source = new Source(edited)
    const file = await device.uploader().store(source, { resume: resume('another') })
    expect(source.bytesRead).toBe(edited.length)
    expectWhole(device.world, file, (await uploadOf(edited)).file)
  })

  test('is sent again where the hub lost it', async () => {
    const device = new Device(world())
    await crash(device, new Source(BYTES), 4)
    device.world.hub.places.clear()
    const file = await device.uploader().store(new Source(BYTES), { resume: resume('f') })
    expectWhole(device.world, file, (await uploadOf(BYTES)).file)
    for await (const blob of device.world.hub.store.list(SPACE)) expect(blob).toHaveLength(64)
  })

  test('is refused when its bytes changed and its fingerprint did not, where the hub lacks them', async () => {
    const device = new Device(world())
    await crash(device, new Source(BYTES), 4)
    device.world.hub.places.clear()
    const edited = BYTES.slice()
    edited[MIB]! ^= 1
    const storing = device.uploader().store(new Source(edited), { resume: resume('f') })
    await expect(storing).rejects.toBeInstanceOf(SourceChangedError)
    expect(await device.rows()).toEqual([])
    const file = await device.uploader().store(new Source(edited), { resume: resume('f') })
    expectWhole(device.world, file, (await uploadOf(edited)).file)
  })

  test('is not remembered while a change could go unseen', async () => {
    const device = new Device(world())
    await crash(device, new Source(BYTES), 4, false)
    const source = new Source(BYTES)
    await device.uploader().store(source, { resume: resume('f') })
    expect(source.bytesRead).toBe(BYTES.length)
  })
})

test('a row that is damaged is no row', async () => {
  const device = new Device(world())
  await crash(device, new Source(BYTES), 4)
  for (const key of await device.rows()) {
    if (key.startsWith('chunked/'))
      await device.store.batch([{ type: 'put', key, value: Uint8Array.of(1, 2, 3) }], { sync: true })
  }
  const file = await device.uploader().store(new Source(BYTES), { resume: resume('f') })
  expectWhole(device.world, file, (await uploadOf(BYTES)).file)
})

test('of many files that never end, those begun first are forgotten', async () => {
  const device = new Device(world())
  const journal = new UploadJournal({
    database: { rows: device.store, writeRows: (ops, options) => device.store.batch(ops, options) },
    hasher: nodeHasher,
  })
  const chunks = { count: 1, ids: new Uint8Array(32), lengths: Uint32Array.of(5) }
  for (let i = 0; i < 40; i++) await (await journal.open(`file ${i}`)).add(0, chunks)
  expect((await journal.open('file 39')).known(0)).toEqual(chunks)
  const nameOf = (i: number) => bytesToHex(nodeHasher.sha256(new TextEncoder().encode(`file ${i}`)))
  const rows = await device.rows()
  expect(rows).toHaveLength(64)
  expect(rows.some((key) => key.includes(nameOf(7)))).toBe(false)
  expect(rows.some((key) => key.includes(nameOf(8)))).toBe(true)
})

describe('[FB15] a database that failed once', () => {
  class Failing extends MemoryKeyValueStore {
    failing: 'range' | 'batch' | undefined
    #use(method: 'range' | 'batch'): void {
      if (this.failing === method) throw new Error('no room')
    }
    override range(...args: Parameters<MemoryKeyValueStore['range']>) {
      this.#use('range')
      return super.range(...args)
    }
    override async batch(...args: Parameters<MemoryKeyValueStore['batch']>) {
      this.#use('batch')
      return super.batch(...args)
    }
  }

  test.each(['range', 'batch'] as const)(
    'remembers a large file that is begun after that (%s)',
    async (failing) => {
      const store = new Failing()
      const writeRows = (...args: Parameters<MemoryKeyValueStore['batch']>) => store.batch(...args)
      const parts = { database: { rows: store, writeRows }, hasher: nodeHasher }
      const journal = new UploadJournal(parts)
      store.failing = failing
      await expect(journal.open('f')).rejects.toThrow('no room')
      store.failing = undefined
      const chunks = { count: 1, ids: new Uint8Array(32), lengths: Uint32Array.of(5) }
      await (await journal.open('f')).add(0, chunks)
      const keys: string[] = []
      for await (const page of store.range({ gte: '', lt: '~' })) for (const [key] of page) keys.push(key)
      expect(keys.map((key) => key.split('/')[0])).toEqual(['chunked-file', 'chunked'])
      expect((await new UploadJournal(parts).open('f')).known(0)).toEqual(chunks)
    },
  )
})
