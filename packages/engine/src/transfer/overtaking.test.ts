import { type BlobClient, PACK_BYTES_TARGET } from '@tidemark/protocol'
import { expect, test } from 'vitest'
import { MemorySource, seededBytes } from '../../test/bytes.js'
import { MemorySink, uploadOf, type World, world } from '../../test/transfer-fixture.js'
import { VirtualTimers } from '../../test/virtual-timers.js'
import { Downloader } from './downloader.js'
import { Pace } from './pace.js'
import { Uploader } from './uploader.js'

const MIB = 1024 * 1024
/** Less than a burst of the limit below. */
const MEDIUM_BYTES = 300 * 1024

/** A store that does not answer about large bodies. */
class Stuck implements BlobClient {
  /** Of bodies that wait. */
  bytes = 0

  constructor(private readonly it: World) {}

  put: BlobClient['put'] = (grant, body, options) =>
    body.length > MIB ? this.#never(body.length) : this.it.hub.client.put(grant, body, options)

  get: BlobClient['get'] = (grant, range, options) =>
    range.length > MIB ? this.#never(range.length) : this.it.hub.client.get(grant, range, options)

  async until(bytes: number): Promise<void> {
    while (this.bytes < bytes) await new Promise((resolve) => setTimeout(resolve, 5))
  }

  #never<T>(bytes: number): Promise<T> {
    this.bytes += bytes
    return new Promise(() => undefined)
  }
}

test('[TR7] a small file is stored while as many large bodies as may be are on their way', async () => {
  const it = world()
  const store = new Stuck(it)
  const uploader = new Uploader({ ...it, client: () => store })
  void uploader.store(new MemorySource(seededBytes(1, 80 * MIB)))
  await store.until(5 * PACK_BYTES_TARGET)
  await uploader.store(new MemorySource(seededBytes(2, MEDIUM_BYTES)))
  await uploader.ensureStored([await uploadOf(seededBytes(3, MEDIUM_BYTES))])
  await uploader.ensureStored([await uploadOf(seededBytes(4, 100))])
})

test('[TR7] a small file is read while as many large ranges as may be are on their way', async () => {
  const it = world()
  const large = await uploadOf(seededBytes(1, 40 * MIB))
  const medium = await uploadOf(seededBytes(2, MEDIUM_BYTES))
  await new Uploader(it).ensureStored([large])
  await new Uploader(it).ensureStored([medium])
  const store = new Stuck(it)
  const downloader = new Downloader({ ...it, client: () => store })
  void downloader.fetch(large.file, new MemorySink(large.file.size))
  await store.until(8 * MIB)
  await downloader.fetch(medium.file, new MemorySink(medium.file.size))
})

test('[TR7] under a limit a small file does not wait for what large ones have asked for', async () => {
  const it = world()
  const timers = new VirtualTimers()
  const pace = new Pace(timers)
  const large = await uploadOf(seededBytes(1, 40 * MIB))
  const medium = await uploadOf(seededBytes(2, MEDIUM_BYTES))
  await new Uploader(it).ensureStored([large])
  await new Uploader(it).ensureStored([medium])
  pace.limit({ uploadBytesPerSecond: 2 * MIB, downloadBytesPerSecond: 2 * MIB })
  const downloader = new Downloader({ ...it, pace })
  const uploader = new Uploader({ ...it, pace })
  const ended: [string, number][] = []
  const run = (name: string, work: Promise<unknown>) =>
    void work.then(() => ended.push([name, timers.monotonicMs()]))
  run('large down', downloader.fetch(large.file, new MemorySink(large.file.size)))
  run('large up', uploader.store(new MemorySource(seededBytes(3, 40 * MIB))))
  await timers.pass(3_000)
  run('small down', downloader.fetch(medium.file, new MemorySink(medium.file.size)))
  run('small up', uploader.store(new MemorySource(seededBytes(4, MEDIUM_BYTES))))
  // No time passes: both may go at once.
  while (ended.length < 2) await timers.pass(0)
  expect(ended.map(([name]) => name).sort()).toEqual(['small down', 'small up'])
  while (ended.length < 4) await timers.pass(100)
  const at = new Map(ended)
  expect(at.get('large down')).toBeGreaterThan(17_000)
  expect(at.get('large up')).toBeGreaterThan(14_000)
})
