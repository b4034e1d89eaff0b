import type { Ack, DeviceId, Message, ReplicaId } from '@tidemark/protocol'
import { expect, test } from 'vitest'
import type { SpaceGc } from '../database/space-gc.js'
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
