import { type Ack, type DeviceId, type Message, parseSpaceName, type ReplicaId } from '@tidemark/protocol'
import { expect, test } from 'vitest'
import { MemoryKeyValueStore } from '../adapters/memory-store.js'
import { SpaceDatabase } from '../database/space-database.js'
import type { SpaceGc } from '../database/space-gc.js'
import { nodePlatform } from '../node/index.js'
import { MemberTalk } from './member-talk.js'

const OURS = 'a'.repeat(16) as DeviceId
const PEER = 'b'.repeat(16) as DeviceId
const THIRD = 'c'.repeat(16) as DeviceId
const STRANGER = 'd'.repeat(16) as DeviceId
const ackOf = (device: DeviceId): Ack => ({
  device,
  epoch: 1,
  applied: new Map([['e'.repeat(16) as ReplicaId, 1]]),
  stable: new Map(),
})

async function talkTo({ isHub }: { isHub: boolean }) {
  const taken: DeviceId[] = []
  const told: DeviceId[] = []
  const gc = {
    members: { epoch: 1, devices: [OURS, PEER, THIRD] },
    acks: async () => [ackOf(OURS), ackOf(THIRD), ackOf(STRANGER)],
    takeAcks: async (acks: readonly Ack[]) => {
      taken.push(...acks.map(({ device }) => device))
      return true
    },
  } as Partial<SpaceGc> as SpaceGc
  const send = async (message: Message) => {
    if (message.type === 'acks') told.push(...message.acks.map(({ device }) => device))
  }
  const talk = new MemberTalk({ gc, channel: 1, peer: PEER, device: OURS, isHub, isPeerHub: false, send })
  await talk.tellMembers()
  const hear = (...devices: DeviceId[]) => talk.acks({ type: 'acks', channel: 1, acks: devices.map(ackOf) })
  return { talk, hear, taken, told }
}

test('[SE8] what a device says of others, or of no member, is neither taken nor remembered by a hub', async () => {
  const { talk, hear, taken, told } = await talkTo({ isHub: true })
  await hear(PEER, THIRD, STRANGER)
  expect(taken).toEqual([PEER])
  await talk.tellAcks()
  expect(told, 'nothing was noted as said').toEqual([OURS, THIRD, STRANGER])
})

test('between two that are no hubs what one said of a member is not said back', async () => {
  const { talk, hear, taken, told } = await talkTo({ isHub: false })
  await hear(THIRD, STRANGER)
  expect(taken).toEqual([THIRD])
  await talk.tellAcks()
  expect(told).toEqual([OURS, STRANGER])
})

/** A hub, and others that it links with; each `beat` is what all ends of a link say now and then. */
async function replica(device: DeviceId) {
  const { clock, random, hasher } = nodePlatform
  const { gc } = await SpaceDatabase.open({
    storage: new MemoryKeyValueStore(),
    space: parseSpaceName('photos'),
    device,
    mode: 'relay',
    clock,
    random,
    sha256: (bytes) => hasher.sha256(bytes),
  })
  return { device, gc }
}

type Replica = Awaited<ReturnType<typeof replica>>

function link(hub: Replica, device: Replica) {
  let said = 0
  const send = (to: () => MemberTalk) => async (message: Message) => {
    said++
    if (message.type === 'members') await to().members(message)
    else if (message.type === 'acks') await to().acks(message)
  }
  const options = { channel: 1, isHub: true, isPeerHub: false }
  const atHub: MemberTalk = new MemberTalk({
    ...hub,
    ...options,
    peer: device.device,
    send: send(() => atDevice),
  })
  const atDevice: MemberTalk = new MemberTalk({
    ...device,
    ...options,
    peer: hub.device,
    isHub: false,
    isPeerHub: true,
    send: send(() => atHub),
  })
  const beat = async () => {
    const before = said
    await atHub.tellAcks()
    await atDevice.tellAcks()
    return said - before
  }
  return { beat }
}

test('[EX10] two hubs of one device come to one list of members, and fall silent', async () => {
  const [one, two, ann] = [await replica(OURS), await replica(PEER), await replica(THIRD)]
  const links = [link(one, ann), link(two, ann)]
  await one.gc.admit(THIRD)
  await two.gc.admit(THIRD)
  await two.gc.admit(STRANGER)
  const said: number[] = []
  for (let i = 0; i < 10; i++) for (const { beat } of links) said.push(await beat())
  expect(said.slice(-10)).toEqual(new Array(10).fill(0))
  const { epoch } = one.gc.members
  for (const { gc } of [one, two, ann]) {
    expect(gc.members).toEqual({ epoch, devices: [OURS, PEER, THIRD, STRANGER] })
  }
})

test('[GC15] a hub that was restored counts no acknowledgement of its own from before, though the list is the same', async () => {
  const [hub, ann] = [await replica(OURS), await replica(THIRD)]
  await hub.gc.admit(THIRD)
  const { devices } = hub.gc.members
  const applied = new Map([['e'.repeat(16) as ReplicaId, 9]])
  // What the hub said before.
  await ann.gc.takeMembers({ epoch: 5, devices })
  await ann.gc.takeAcks([{ device: OURS, epoch: 5, applied, stable: applied }])
  const { beat } = link(hub, ann)
  while ((await beat()) > 0);
  expect(hub.gc.members).toEqual({ epoch: 6, devices })
  expect(await ann.gc.ackOf(OURS)).toBeUndefined()
})
