import {
  type ChunkId,
  type DeviceId,
  type Dot,
  decodeMessage,
  encodeMessage,
  type NodeId,
  parseSpaceName,
  type Refusal,
  ROOT,
} from '@tidemark/protocol'
import { beforeEach, expect, test } from 'vitest'
import { MemoryKeyValueStore } from '../adapters/memory-store.js'
import { siblingsOf } from '../core/incoming.js'
import { nodePlatform } from '../node/index.js'
import { SpaceDatabase, type SpaceMode } from './space-database.js'
import { type HubWrite, refusedRows } from './space-refusals.js'

const PEER = 'f'.repeat(16) as DeviceId
const WORDS = { code: 'NO', message: 'not this one' }
const contentOf = (digit: string) => ({ root: digit.repeat(64) as ChunkId, height: 0, size: 1, mtimeMs: 1 })

const open = (mode: SpaceMode, device = 'a') =>
  SpaceDatabase.open({
    storage: new MemoryKeyValueStore(),
    space: parseSpaceName('photos'),
    device: device.repeat(16) as DeviceId,
    mode,
    clock: nodePlatform.clock,
    random: nodePlatform.random,
    sha256: (bytes) => nodePlatform.hasher.sha256(bytes),
  })

let database: SpaceDatabase
beforeEach(async () => {
  database = await open('bound')
})

async function made(name = 'f') {
  const place = { parent: { node: ROOT }, name } as const
  const op = { type: 'create', ref: name, ...place, kind: 'file', content: contentOf('1') } as const
  const { created } = await database.commit([op])
  const { node } = created.get(name)!
  return { node, entry: (await database.received.node(node))! }
}

const dotsOf = (entry: Parameters<typeof siblingsOf>[0]): Dot[] => siblingsOf(entry).map(({ dot }) => dot)

test('[HB20] a binder hears of all that was refused of a node until it has dealt with it', async () => {
  const { node, entry } = await made()
  await database.commit([{ type: 'edit', entry: node, content: contentOf('2') }])
  await database.commit([{ type: 'attr', entry: node, executable: true }])
  const { content, attr } = (await database.received.node(node))!
  const refusal = (dots: readonly Dot[]): Refusal => ({ node, dots, ...WORDS, accepted: entry })
  await database.refusals.takeBack([refusal(content.map(({ dot }) => dot))])
  await database.refusals.takeBack([refusal(attr.map(({ dot }) => dot))])
  const refused = refusedRows.decode((await database.rows.get(refusedRows.key(node)))!)
  expect(refused.versions.map(({ root }) => root[0])).toEqual(['2'])
  expect(refused.restored.map((root) => root[0])).toEqual(['1'])
  expect((await database.received.entry(node))?.version?.root[0]).toBe('1')
})

test('[HB20] what is not here, or was replaced since, is nothing to take back', async () => {
  const { node, entry } = await made()
  await database.commit([{ type: 'edit', entry: node, content: contentOf('2') }])
  const before = database.lseq
  const unknown = { node: '9'.repeat(32), dots: dotsOf(entry), ...WORDS }
  const old = { node, dots: entry.content.map(({ dot }) => dot), ...WORDS }
  expect(await database.refusals.takeBack([unknown, old])).toEqual([])
  expect([database.lseq, await database.rows.get(refusedRows.key(node))]).toEqual([before, undefined])
})

test('[HB20] a hub is asked for what would change what it holds, with the path of it, and for nothing else', async () => {
  const hub = await open('relay', 'b')
  const { created } = await database.commit([
    { type: 'create', ref: 'd', parent: { node: ROOT }, name: 'd', kind: 'dir' },
    { type: 'create', ref: 'f', parent: { ref: 'd' }, name: 'f', kind: 'file', content: contentOf('1') },
  ])
  const nodes = [...created.values()].map(({ node }) => node)
  const entries = (await Promise.all(nodes.map((node) => database.received.node(node)))).map(
    (entry) => entry!,
  )
  const asked: string[] = []
  const refuse = async ({ device, path, held }: HubWrite) => {
    asked.push(`${device[0]} ${(await path()).join('/')} ${held ? 'known' : 'new'}`)
    return undefined
  }
  // The file first: its directory is in the same frame.
  expect(await hub.refusals.judge(PEER, [...entries].reverse(), refuse)).toEqual([])
  expect(asked.sort()).toEqual(['f d new', 'f d/f new'])
  await hub.receive(PEER, entries, undefined)
  asked.length = 0
  expect(await hub.refusals.judge(PEER, entries, refuse)).toEqual([])
  expect(asked).toEqual([])
  await database.commit([{ type: 'edit', entry: nodes[1]!, content: contentOf('2') }])
  const edited = { ...(await database.received.node(nodes[1]!))!, loc: [] }
  const [refusal] = await hub.refusals.judge(PEER, [edited], async (write) => (await refuse(write)) ?? WORDS)
  expect(asked).toEqual(['f d/f known'])
  expect(refusal).toMatchObject({
    ...WORDS,
    dots: edited.content.map(({ dot }) => dot),
    accepted: entries[1],
  })
})

test('[HB20] a hub that says it has what this device never wrote is not believed', async () => {
  const { node, entry } = await made()
  const [first] = entry.content
  const accepted = { ...entry, content: [{ ...first!, dot: { ...first!.dot, seq: 99 } }] }
  const claim = database.refusals.takeBack([{ node, dots: dotsOf(entry), ...WORDS, accepted }])
  await expect(claim).rejects.toMatchObject({ code: 'BAD_ENTRY' })
  expect((await database.received.entry(node))?.version?.root[0]).toBe('1')
})

test('[HB20] a hub that says it has another node, or one of another kind, is not believed', async () => {
  const { node, entry } = await made()
  const [first] = entry.content
  const link = { ...first!, value: { ...first!.value, target: 'f' } }
  const lies = [
    { ...entry, kind: 'symlink', content: [link] },
    { ...entry, id: '9'.repeat(32) as NodeId },
  ] as const
  for (const accepted of lies) {
    const claim = database.refusals.takeBack([{ node, dots: dotsOf(entry), ...WORDS, accepted }])
    await expect(claim).rejects.toMatchObject({ code: 'BAD_REJECT' })
  }
})

test('[HB20] the words of a hub fit into its frame', async () => {
  const hub = await open('relay', 'b')
  const { entry } = await made()
  const long = () => ({ code: 'x'.repeat(2_000), message: '\u{1f600}'.repeat(2_000) })
  const refusals = await hub.refusals.judge(PEER, [entry], long)
  const frame = encodeMessage({ type: 'reject', channel: 1, refusals })
  expect(decodeMessage(frame)).toMatchObject({ refusals: [{ node: entry.id }] })
})
