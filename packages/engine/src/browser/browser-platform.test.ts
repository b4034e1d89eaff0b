import { expect, test } from 'vitest'
import { blobByteSource } from './blob-byte-source.js'
import { browserPlatform } from './browser-platform.js'

test('the platform of a page has chance, a hash, and timers that can be cancelled', async () => {
  const { random, hasher, timers, clock } = await browserPlatform()
  expect(random.bytes(0).length).toBe(0)
  const long = random.bytes(200_000)
  expect(long.subarray(150_000).some((byte) => byte !== 0)).toBe(true)
  expect(hasher.sha256(long)).toEqual(await hasher.sha256Async(long))
  expect(clock.nowMs()).toBeGreaterThan(Date.UTC(2020))
  let fired = 0
  const cancel = timers.after(5, () => (fired += 1))
  cancel()
  await new Promise<void>((resolve) => void timers.after(10, resolve))
  expect(fired).toBe(0)
})

test('a file is read in parts; one that changed after it was picked is a SourceChangedError', async () => {
  const source = blobByteSource(new Blob(['abc', 'defg']))
  expect(source.size).toBe(7)
  expect(Buffer.from(await source.read(2, 3)).toString()).toBe('cde')
  const broken = { size: 7, slice: () => ({ arrayBuffer: () => Promise.reject(new Error('NotReadable')) }) }
  await expect(blobByteSource(broken as unknown as Blob).read(0, 1)).rejects.toMatchObject({
    code: 'SOURCE_CHANGED',
  })
})
