import type { ChunkId } from '@tidemark/protocol'
import { expect, test } from 'vitest'
import { VirtualTimers } from '../../test/virtual-timers.js'
import { ChunkCache } from './chunk-cache.js'
import { Pace } from './pace.js'
import { RidingChunks } from './riding-chunks.js'

const ID = '00' as ChunkId
const MIB = 1024 * 1024

test('[TR7] what rides along with entries does not wait, and large bodies make up for it', async () => {
  const timers = new VirtualTimers()
  const pace = new Pace(timers)
  pace.limit({ uploadBytesPerSecond: 10_000, downloadBytesPerSecond: 10_000 })
  const chunks = new RidingChunks(new ChunkCache(), pace)
  chunks.put(ID, new Uint8Array(50_000))
  expect(chunks.get(ID)).toHaveLength(50_000)
  const begun: string[] = []
  void pace.up.take(2 * MIB, undefined).then(() => begun.push('up'))
  void pace.down.take(2 * MIB, undefined).then(() => begun.push('down'))
  await timers.pass(4_700)
  expect(begun).toEqual([])
  await timers.pass(100)
  expect(begun.sort()).toEqual(['down', 'up'])
})

test('[TR7] during a pause nothing rides along', () => {
  const pace = new Pace(new VirtualTimers())
  const chunks = new RidingChunks(new ChunkCache(), pace)
  chunks.put(ID, new Uint8Array(1))
  pace.pause()
  expect(chunks.get(ID)).toBeUndefined()
  pace.resume()
  expect(chunks.get(ID)).toHaveLength(1)
})
