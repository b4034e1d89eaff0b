import {
  type Ack,
  type Acks,
  type DeviceId,
  EPOCHS_AHEAD_MAX,
  FRAME_BYTES_TARGET,
  LimitError,
  type Members,
  type Message,
  type Vector,
} from '@tidemark/protocol'
import type { SpaceGc } from '../database/space-gc.js'

export interface MemberTalkOptions {
  readonly gc: SpaceGc
  readonly channel: number
  readonly peer: DeviceId
  /** This side. */
  readonly device: DeviceId
  readonly isHub: boolean
  readonly isPeerHub: boolean
  send(message: Message): Promise<void>
}

/** A device id or a replica id, and a varint. */
const BYTES_PER_DOT = 13
const BYTES_PER_ACK = 32

/** What two ends tell each other of members and acknowledgements: what the other has not heard in this session. */
export class MemberTalk {
  readonly #options: MemberTalkOptions
  #toldEpoch = 0
  #hasHeardMembers = false
  #hasToldAcks = false
  /** What was said of each member, as text, as far as the peer is told of it. */
  readonly #told = new Map<DeviceId, string>()

  constructor(options: MemberTalkOptions) {
    this.#options = options
  }

  /** Tells a newer list of members, if there is one. */
  async tellMembers(): Promise<void> {
    const { gc, channel, send } = this.#options
    const { epoch, devices } = gc.members
    if (epoch <= this.#toldEpoch) return
    this.#toldEpoch = epoch
    this.#told.clear()
    await send({ type: 'members', channel, epoch, devices })
  }

  /** Before a round: the list, where it is newer; in the first one of a session acknowledgements too. */
  async tellFirst(): Promise<void> {
    if (this.#hasToldAcks) return this.tellMembers()
    this.#hasToldAcks = true
    await this.tellAcks()
  }

  /** Tells acknowledgements that are news to the peer. Never called because one of the peer's came. */
  async tellAcks(): Promise<void> {
    const { gc, channel, send } = this.#options
    await this.tellMembers()
    let acks: Ack[] = []
    let bytes = 0
    for (const ack of await gc.acks()) {
      if (!this.#isNews(ack)) continue
      acks.push(ack)
      bytes += BYTES_PER_ACK + (ack.applied.size + ack.stable.size) * BYTES_PER_DOT
      if (bytes < FRAME_BYTES_TARGET) continue
      await send({ type: 'acks', channel, acks })
      acks = []
      bytes = 0
    }
    if (acks.length > 0) await send({ type: 'acks', channel, acks })
  }

  async members({ epoch, devices }: Members): Promise<void> {
    const { gc, isHub, isPeerHub } = this.#options
    if (!isPeerHub && epoch > gc.members.epoch + EPOCHS_AHEAD_MAX)
      throw new LimitError('a list of members is too far ahead', 'EPOCHS_AHEAD_MAX', epoch)
    this.#toldEpoch = Math.max(this.#toldEpoch, epoch)
    // The first one is what the device stands on; a later one it got meanwhile, from another hub.
    const isAnothers = this.#hasHeardMembers
    this.#hasHeardMembers = true
    // A hub decides alone: from another's list, one of before it was restored, nobody's place is taken.
    if (isHub && !isPeerHub) await gc.outgrow({ epoch, devices }, isAnothers)
    else await gc.takeMembers({ epoch, devices })
  }

  async acks({ acks }: Acks): Promise<void> {
    const { gc, isHub, isPeerHub, peer } = this.#options
    const members = new Set(gc.members.devices)
    // To a hub each speaks for itself: nobody can say of another that it has heard of everything.
    const taken = acks.filter(({ device }) => members.has(device) && (!isHub || isPeerHub || device === peer))
    for (const ack of taken) if (this.#mayTell(ack.device)) this.#told.set(ack.device, textOf(ack))
    await gc.takeAcks(taken)
  }

  /** Nobody is told of itself, nor a hub of others. */
  #mayTell(of: DeviceId): boolean {
    const { device, peer, isHub, isPeerHub } = this.#options
    return of !== peer && (isHub || !isPeerHub || of === device)
  }

  #isNews(ack: Ack): boolean {
    if (!this.#mayTell(ack.device)) return false
    const text = textOf(ack)
    if (this.#told.get(ack.device) === text) return false
    this.#told.set(ack.device, text)
    return true
  }
}

const textOf = ({ epoch, applied, stable }: Ack): string => `${epoch} ${dots(applied)} ${dots(stable)}`

const dots = (vector: Vector): string =>
  [...vector]
    .map(([rid, seq]) => `${rid}${seq}`)
    .sort()
    .join()
