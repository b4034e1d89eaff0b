import { type ChunkId, type DeviceId, parseSpaceName, type Refusal, ROOT } from '@tidemark/protocol'
import { firstValueFrom } from 'rxjs'
import { beforeEach, expect, test } from 'vitest'
import { MemoryKeyValueStore } from './adapters/memory-store.js'
import { siblingsOf } from './core/incoming.js'
import { SpaceDatabase } from './database/space-database.js'
import { type Refused, refusedRows } from './database/space-refusals.js'
import { nodePlatform } from './node/index.js'
import { ToldRefusals } from './space-told-refusals.js'

const open = (storage: MemoryKeyValueStore): Promise<SpaceDatabase> =>
  SpaceDatabase.open({
    storage,
    space: parseSpaceName('photos'),
    device: 'a'.repeat(16) as DeviceId,
    mode: 'direct',
    clock: nodePlatform.clock,
    random: nodePlatform.random,
    sha256: (bytes) => nodePlatform.hasher.sha256(bytes),
  })

const content = { root: '1'.repeat(64) as ChunkId, height: 0, size: 1, mtimeMs: 1 }

let storage: MemoryKeyValueStore
let database: SpaceDatabase

beforeEach(async () => {
  storage = new MemoryKeyValueStore()
  database = await open(storage)
})

/** A file that the hub refuses. */
async function refuse(name: string): Promise<readonly Refused[]> {
  const parent = { node: ROOT } as const
  const { created } = await database.commit([
    { type: 'create', ref: name, parent, name, kind: 'file', content },
  ])
  const { node } = created.get(name)!
  const dots = siblingsOf((await database.received.node(node))!).map(({ dot }) => dot)
  const refusal: Refusal = { node, dots, code: 'NO', message: 'not this one' }
  return (await database.refusals.takeBack([refusal])).map(({ refused }) => refused)
}

async function heard(refusals: ToldRefusals): Promise<string[]> {
  const names: string[] = []
  const subscription = refusals.refused$.subscribe(({ name }) => names.push(name))
  await expect
    .poll(async () => (await database.rows.range(refusedRows.range)[Symbol.asyncIterator]().next()).done)
    .toBe(true)
  subscription.unsubscribe()
  return names
}

test('[HB20] a program that ended before it was told of a refusal hears of it at its next start, once', async () => {
  await refuse('f')
  database = await open(storage)
  expect(await heard(new ToldRefusals(database))).toEqual(['f'])
  expect(await heard(new ToldRefusals(database))).toEqual([])
})

test('[HB20] what comes while nobody listens is told to whoever does later', async () => {
  const refusals = new ToldRefusals(database)
  expect(await heard(refusals)).toEqual([])
  await refusals.take(await refuse('f'))
  expect(await heard(refusals)).toEqual(['f'])
})

test('[HB20] who listens is told at once, and not again', async () => {
  const refusals = new ToldRefusals(database)
  const names: string[] = []
  refusals.refused$.subscribe(({ name }) => names.push(name))
  await refusals.take(await refuse('f'))
  expect(names).toEqual(['f'])
  expect(await heard(new ToldRefusals(database))).toEqual([])
})

test('[HB20] who listens for one refusal leaves the others to whoever listens next', async () => {
  await refuse('f')
  await refuse('g')
  const first = await firstValueFrom(new ToldRefusals(database).refused$)
  const rest = new Set(['f', 'g'])
  rest.delete(first.name)
  await expect
    .poll(async () => (await database.rows.get(refusedRows.key(first.node))) === undefined)
    .toBe(true)
  expect(await heard(new ToldRefusals(database))).toEqual([...rest])
})
