import {
  AccessError,
  bytesToHex,
  type DeviceId,
  joinVectors,
  MEMBERS_MAX,
  NO_SWEEP,
  type NodeId,
  REPLICA_ID_BYTES,
  type RunId,
  type Vector,
  vectorAtMost,
} from '@tidemark/protocol'
import { type Acknowledgement, goneWith, type MemberList, type Reach, reachOf } from '../core/collectable.js'
import type { KeyValueReader } from '../ports/key-value-store.js'
import type { Random } from '../ports/random.js'
import type { ChangeLog } from './change-log.js'
import { Collector } from './collector.js'
import { decodeJson, encodeJson } from './json-row.js'
import { MemberTable } from './member-table.js'
import type { Transaction } from './transaction.js'
import type { Tree } from './tree.js'

/** Dead nodes looked at in one batch. */
const PAGE_NODES = 512

interface GcWrite<T> {
  readonly value: T
  readonly publish?: (() => void) | undefined
  /** Durable when it resolves. @default false: what is lost is done, or said, once more. */
  readonly sync?: boolean
}

export interface SpaceGcOptions {
  readonly prefix: string
  readonly device: DeviceId
  readonly storage: KeyValueReader
  readonly random: Random
  readonly received: Tree
  readonly synced: Tree | undefined
  readonly log: ChangeLog
  /** What is truly here. */
  frontier(): Vector
  /** Nothing is to be brought to the disk, as far as this transaction sees. */
  isApplied(txn: Transaction): Promise<boolean>
  /** Registers change here and nowhere else: no view changes with them. @returns whether it was done. */
  write<T>(fn: (txn: Transaction) => Promise<GcWrite<T>>): Promise<T>
  /** Writes tombstones for nodes that died without one. */
  bury(ids: readonly NodeId[]): Promise<void>
}

/**
 * Members, acknowledgements, and the collection of what is dead for everybody (design 5.5, 5.6). The floor
 * says what has been collected here, or at a peer before we heard from it: who is not past it must begin
 * anew, because it may still hold what everybody else forgot.
 */
export class SpaceGc {
  readonly #options: SpaceGcOptions
  readonly #members: MemberTable
  readonly #collector: Collector
  #floor: Vector = new Map()
  #sweep = NO_SWEEP
  #running: Promise<number> | undefined
  readonly #listeners = new Set<() => void>()

  constructor(options: SpaceGcOptions) {
    this.#options = options
    this.#members = new MemberTable(`${options.prefix}m/`)
    this.#collector = new Collector(options)
  }

  async load(kv: KeyValueReader): Promise<void> {
    await this.#members.load(kv)
    this.#floor = new Map(decodeJson<[never, number][]>(await kv.get(this.#floorKey)) ?? [])
    this.#sweep = decodeJson<RunId>(await kv.get(this.#sweepKey)) ?? NO_SWEEP
  }

  get members(): MemberList {
    return this.#members.list
  }

  get floor(): Vector {
    return this.#floor
  }

  /** Called when there are other members, or when others have acknowledged more. @returns stops it. */
  onNews(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  #news<T>(value: T, isNews: boolean): T {
    if (isNews) for (const listener of this.#listeners) listener()
    return value
  }

  /** Another one after each collection here, or heard of: what came from here before may be gone since. */
  get sweep(): RunId {
    return this.#sweep
  }

  /** What this device holds as the acknowledgement of another one, or of itself. */
  async ackOf(device: DeviceId): Promise<Acknowledgement | undefined> {
    const ack = await this.#members.ack(this.#options.storage, device)
    return ack?.epoch === this.members.epoch ? ack : undefined
  }

  /** Those that count. */
  async acks(): Promise<Acknowledgement[]> {
    const acks = await this.#members.acks(this.#options.storage)
    return acks.filter(({ epoch }) => epoch === this.members.epoch)
  }

  /** Whether there are members, and that device is none. */
  isStranger(device: DeviceId): boolean {
    const { epoch, devices } = this.members
    return epoch > 0 && !devices.includes(device)
  }

  /** What a member may have collected by now, as far as this one, another member, has acknowledged it. */
  async reachable(): Promise<Vector> {
    const own = await this.#members.ack(this.#options.storage, this.#options.device)
    return joinVectors(this.#floor, own?.applied ?? new Map())
  }

  /**
   * As the hub that decides: this device is a member from now on, and so is the hub.
   *
   * @throws {AccessError} FORBIDDEN: there are MEMBERS_MAX.
   */
  async admit(device: DeviceId): Promise<void> {
    const own = this.#options.device
    await this.#changeMembers((devices) => {
      const all = new Set([...devices, own, device])
      if (all.size > MEMBERS_MAX) throw new AccessError('FORBIDDEN', 'too many devices write to this space')
      return all.size > devices.length ? [...all] : undefined
    })
  }

  /** As the hub that decides: this device is none any more. */
  async evict(device: DeviceId): Promise<void> {
    await this.#changeMembers((devices) =>
      devices.includes(device) ? devices.filter((member) => member !== device) : undefined,
    )
  }

  /** As the hub that decides: these are the members from now on. @returns the list, with the next epoch. */
  setMembers(devices: readonly DeviceId[]): Promise<MemberList> {
    return this.#changeMembers(() => devices)
  }

  /** As the hub that decides: what members acknowledged before one of them went back counts no more. */
  async renewEpoch(): Promise<void> {
    await this.#changeMembers((devices) => (this.members.epoch > 0 ? devices : undefined))
  }

  /**
   * As the hub that decides: there may be a list that is newer than the own one. Whoever stands on either is a
   * member, under an epoch above both.
   *
   * @param isAnothers Another hub made it: where it names everybody it is taken as it is, or the two would outgrow
   *   each other for ever. Else this one may have, and acknowledged under it, before it was restored from a backup.
   */
  async outgrow({ epoch, devices }: MemberList, isAnothers: boolean): Promise<void> {
    const isWhole = (all: readonly DeviceId[]) => all.length === new Set(devices).size
    await this.#changeMembers(
      (own) => (epoch > this.members.epoch ? [...own, ...devices] : undefined),
      (all) => (isAnothers && isWhole(all) ? epoch : epoch + 1),
    )
  }

  /**
   * @param change Asked within the write: several devices are admitted at once. `undefined`: nothing changes.
   * @param epochOf The epoch of these members.
   */
  async #changeMembers(
    change: (devices: readonly DeviceId[]) => readonly DeviceId[] | undefined,
    epochOf: (devices: readonly DeviceId[]) => number = () => this.members.epoch + 1,
  ): Promise<MemberList> {
    const list = await this.#options.write<MemberList | undefined>(async (txn) => {
      const changed = change(this.members.devices)
      if (!changed) return { value: undefined }
      const devices = [...new Set(changed)].sort()
      const list = { epoch: epochOf(devices), devices }
      // Others collect what only these have heard of: a hub that forgot it would let in who has not.
      return { value: list, publish: this.#members.take(txn, list), sync: true }
    })
    return this.#news(list ?? this.members, list !== undefined)
  }

  /** @returns whether it is newer than what was known. */
  async takeMembers(list: MemberList): Promise<boolean> {
    const isNews = await this.#options.write(async (txn) => {
      const publish = this.#members.take(txn, list)
      return { value: publish !== undefined, publish }
    })
    return this.#news(isNews, isNews)
  }

  /** @returns whether any of them is news. */
  async takeAcks(acks: readonly Acknowledgement[]): Promise<boolean> {
    const { device } = this.#options
    const isNews = await this.#options.write(async (txn) => {
      let isNews = false
      // What others hold of ours may be of a life that this database does not know.
      for (const ack of acks)
        if (ack.device !== device) isNews = (await this.#members.takeAck(txn, ack)) || isNews
      return { value: isNews }
    })
    return this.#news(isNews, isNews)
  }

  /** A device has begun anew: what it acknowledged before counts no more. */
  forgetAck(device: DeviceId): Promise<void> {
    return this.#options.write(async (txn) => {
      this.#members.forgetAck(txn, device)
      return { value: undefined }
    })
  }

  /** Says what this device has applied by now, if it is a member. @returns whether that is news. */
  acknowledge(): Promise<boolean> {
    const { device, isApplied, frontier } = this.#options
    return this.#options.write(async (txn) => {
      const { epoch, devices } = this.members
      if (!devices.includes(device) || !(await isApplied(txn))) return { value: false }
      const ack = { device, epoch, applied: frontier(), stable: new Map() }
      return { value: await this.#members.takeAck(txn, ack) }
    })
  }

  /** What the tree reflects, and the disk where there is one, as far as is known; `undefined`: the frontier. */
  reflected(): Promise<Vector | undefined> {
    const { device, isApplied } = this.#options
    return this.#options.write(async (txn) => {
      if (await isApplied(txn)) return { value: undefined }
      return { value: (await this.#members.ack(txn, device))?.applied ?? new Map() }
    })
  }

  /** How many nodes are dead, and above nothing that lives. Looks at each of them. */
  async countDead(): Promise<number> {
    let count = 0
    for await (const page of this.dead()) count += page.length
    return count
  }

  /** Nodes that are dead, and above nothing that lives: what is left of deletions. In pages. */
  async *dead(): AsyncGenerator<readonly NodeId[]> {
    const { storage, received } = this.#options
    for await (const page of received.dead(storage)) {
      const above = await received.inClosure(storage, page)
      yield page.filter((id) => !above.has(id))
    }
  }

  /**
   * Collects what may be collected now.
   *
   * @param isOver Asked between two batches: ends it before its time.
   * @returns how many nodes went.
   */
  collect(isOver: () => boolean = () => false): Promise<number> {
    this.#running ??= this.#collect(isOver).finally(() => {
      this.#running = undefined
    })
    return this.#running
  }

  async #collect(isOver: () => boolean): Promise<number> {
    const { epoch } = this.members
    const own = await this.ackOf(this.#options.device)
    if (!own) return 0
    const reach = reachOf(this.members, await this.acks(), this.#options.frontier(), own.applied)
    if (!reach) return 0
    let count = 0
    let isThrough = true
    const ids: NodeId[] = []
    for await (const page of this.#options.received.dead(this.#options.storage)) ids.push(...page)
    for (let at = 0; at < ids.length; at += PAGE_NODES) {
      if (isOver()) return count
      const done = await this.#collectPage(ids.slice(at, at + PAGE_NODES), reach, epoch)
      if (done.bare.length > 0) await this.#options.bury(done.bare)
      count += done.count
      isThrough &&= done.isThrough
    }
    if (isThrough) await this.#pastFirstStep(reach, epoch)
    return count
  }

  async #collectPage(
    ids: readonly NodeId[],
    reach: Reach,
    epoch: number,
  ): Promise<{ readonly count: number; readonly bare: readonly NodeId[]; readonly isThrough: boolean }> {
    return this.#options.write(async (txn) => {
      // Another list: another reach.
      if (this.members.epoch !== epoch) return { value: { count: 0, bare: [], isThrough: false } }
      const { gone, stripped, bare, isHeldUp } = await this.#collector.collect(txn, ids, reach)
      const less = [...gone, ...stripped]
      // Even if the floor stays where it is: something went.
      const publish =
        less.length > 0
          ? this.setFloor(txn, joinVectors(this.#floor, goneWith(less, this.#options.frontier())))
          : undefined
      return { value: { count: gone.length, bare, isThrough: !isHeldUp && bare.length === 0 }, publish }
    })
  }

  #pastFirstStep({ applied }: Reach, epoch: number): Promise<void> {
    const { device } = this.#options
    return this.#options.write(async (txn) => {
      const own = await this.#members.ack(txn, device)
      if (own?.epoch === epoch) await this.#members.takeAck(txn, { ...own, stable: applied })
      return { value: undefined }
    })
  }

  /** @returns makes it visible once the batch is in. */
  raiseFloor(txn: Transaction, by: Vector): (() => void) | undefined {
    if (vectorAtMost(by, this.#floor)) return undefined
    return this.setFloor(txn, joinVectors(this.#floor, by))
  }

  /**
   * What this device has acknowledged is not here any more; the floor comes with the state of the peer.
   *
   * @returns makes it visible once the batch is in.
   */
  beginAnew(txn: Transaction): () => void {
    this.#members.forgetAck(txn, this.#options.device)
    return this.setFloor(txn, new Map())
  }

  /** @returns makes it visible once the batch is in. */
  setFloor(txn: Transaction, floor: Vector): () => void {
    const sweep = bytesToHex(this.#options.random.bytes(REPLICA_ID_BYTES)) as RunId
    txn.put(this.#floorKey, encodeJson([...floor]))
    txn.put(this.#sweepKey, encodeJson(sweep))
    return () => {
      this.#floor = floor
      this.#sweep = sweep
    }
  }

  get #floorKey(): string {
    return `${this.#options.prefix}f`
  }

  get #sweepKey(): string {
    return `${this.#options.prefix}s`
  }
}
