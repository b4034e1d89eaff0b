import { GRANT_TTL_MS } from '@tidemark/protocol'
import { expect, test } from 'vitest'
import { seededBytes } from '../../test/bytes.js'
import { MemorySink, uploadOf, world } from '../../test/transfer-fixture.js'
import { VirtualTimers } from '../../test/virtual-timers.js'
import { Downloader } from './downloader.js'
import { Pace } from './pace.js'
import { RetryPolicy } from './retry.js'
import { Uploader } from './uploader.js'

const KIB = 2 ** 10
const MIB = 2 ** 20

test.each([
  [1, 48, 10],
  [1, 24, 2],
  [2, 24, 5],
])(
  '[TR7] %d files of %d MiB come at %d KiB/s, though grants end while they wait for their turn',
  async (files, mib, kib) => {
    const it = world()
    const uploads = await Promise.all(
      Array.from({ length: files }, (_, i) => uploadOf(seededBytes(i + 1, mib * MIB))),
    )
    await new Uploader(it).ensureStored(uploads)
    const timers = new VirtualTimers()
    const pace = new Pace(timers)
    const random = { bytes: (length: number) => new Uint8Array(length).fill(128) }
    it.hub.before = () => {
      it.hub.nowMs = 1_000_000 + timers.monotonicMs()
    }
    pace.limit({ downloadBytesPerSecond: kib * KIB })
    const downloader = new Downloader({ ...it, pace, retry: new RetryPolicy({ timers, random }) })
    let ended = 0
    for (const { file } of uploads) {
      void downloader.fetch(file, new MemorySink(file.size)).then(() => {
        ended += 1
      })
    }
    const leastMs = (files * mib * MIB * 1000) / (kib * KIB)
    expect(leastMs).toBeGreaterThan(2 * GRANT_TTL_MS)
    it.hub.bytesRead = 0
    for (let passedMs = 0; passedMs < 1.1 * leastMs; passedMs += leastMs / 200) {
      await timers.pass(leastMs / 200)
      await new Promise((resolve) => setImmediate(resolve))
    }
    expect(ended).toBe(files)
    expect(it.hub.bytesRead).toBeLessThan(1.02 * files * mib * MIB)
  },
)

test('[TR7] nothing of a file is asked for in vain during a long pause', async () => {
  const it = world()
  const upload = await uploadOf(seededBytes(9, 8 * MIB))
  await new Uploader(it).ensureStored([upload])
  const timers = new VirtualTimers()
  const pace = new Pace(timers)
  const random = { bytes: (length: number) => new Uint8Array(length).fill(128) }
  it.hub.before = () => {
    it.hub.nowMs = 1_000_000 + timers.monotonicMs()
  }
  const downloader = new Downloader({ ...it, pace, retry: new RetryPolicy({ timers, random }) })
  pace.pause()
  let isThere = false
  void downloader.fetch(upload.file, new MemorySink(upload.file.size)).then(() => {
    isThere = true
  })
  await timers.pass(24 * 3_600_000)
  expect(it.hub.count('get')).toBe(0)
  pace.resume()
  for (let i = 0; i < 50 && !isThere; i++) await timers.pass(10)
  expect(isThere).toBe(true)
})
