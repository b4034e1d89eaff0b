import { randomBytes } from 'node:crypto'
import { StoreError } from '@tidemark/protocol'
import { beforeEach, expect, test, vi } from 'vitest'
import { SPACE } from './fixture.js'
import { type File, fileOf, KEEP_MS, packs, SweepWorld } from './sweep-world.js'

let world: SweepWorld
let large: File
beforeEach(async () => {
  world = new SweepWorld()
  large = await fileOf(randomBytes(300_000))
  await world.store(large)
  await world.write(1, large.content)
})

test('a pass can be ended anywhere', async () => {
  const { sweep } = await world.hub
  await expect(sweep(AbortSignal.abort(new Error('stop')))).rejects.toThrow('stop')
})

test('[BG24] a pass that still reads what only the store has can be ended too: a hub that stops does not wait for it', async () => {
  const { authority, sweep } = await world.hub
  await authority.need([])
  for (let i = 0; i < 20; i++) {
    const pack = await packs.build((await fileOf(randomBytes(10 + i))).pieces)
    await world.memory.put(SPACE, pack.id, pack.bytes)
  }
  const { memory } = world
  const ending = new AbortController()
  const read = memory.read.bind(memory)
  let reads = 0
  memory.read = async (...args) => {
    reads += 1
    ending.abort(new Error('stop'))
    return read(...args)
  }
  await expect(sweep(ending.signal)).rejects.toThrow('stop')
  expect(reads).toBeLessThan(5)
})

test('[BG21] [BG25] of a manifest node that stands behind the end of its blob the bytes are asked for', async () => {
  const { memory } = world
  memory.read = async () => {
    throw new RangeError('outside of the blob')
  }
  world.advance(KEEP_MS)
  expect(await world.pass()).toBeUndefined()
  // In the background: what is lacking is found by an audit.
  await vi.waitFor(() => expect(world.wanted.map(({ root }) => root)).toContain(large.content.root))
})

test('[BG21] a store that cannot be reached is no loss: nothing is asked for, and the next pass is whole', async () => {
  const { memory } = world
  const read = memory.read.bind(memory)
  memory.read = async () => {
    throw new StoreError('the disk is away')
  }
  world.advance(KEEP_MS)
  await expect(world.pass()).rejects.toThrow('the disk is away')
  memory.read = read
  const { index } = await world.hub
  expect(await index.auditDue(SPACE)).toBeUndefined()
  expect(await world.pass()).toMatchObject({ condemnedBytes: 0 })
})
