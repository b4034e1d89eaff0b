import {
  type DeviceId,
  equalBytes,
  joinVectors,
  LimitError,
  MEMBERS_MAX,
  type ReplicaId,
  VECTOR_ENTRIES_MAX,
} from '@tidemark/protocol'
import type { Acknowledgement, MemberList } from '../core/collectable.js'
import type { KeyValueReader } from '../ports/key-value-store.js'
import { decodeJson, encodeJson } from './json-row.js'
import type { Transaction } from './transaction.js'

interface AckRow {
  readonly epoch: number
  readonly applied: readonly (readonly [ReplicaId, number])[]
  readonly stable: readonly (readonly [ReplicaId, number])[]
}

const NOBODY: MemberList = { epoch: 0, devices: [] }

/** The members of a space, and what each of them acknowledged. */
export class MemberTable {
  readonly #prefix: string
  #list: MemberList = NOBODY

  constructor(prefix: string) {
    this.#prefix = prefix
  }

  get list(): MemberList {
    return this.#list
  }

  async load(kv: KeyValueReader): Promise<void> {
    this.#list = decodeJson<MemberList>(await kv.get(`${this.#prefix}list`)) ?? NOBODY
  }

  /**
   * Takes a newer list. Two lists with one epoch (a hub that went back) become one of both: too many members
   * only make collection wait.
   *
   * @returns makes it visible once the batch is in; `undefined` if nothing changes.
   * @throws {LimitError} they are more than a message can name.
   */
  take(txn: Transaction, list: MemberList): (() => void) | undefined {
    const { epoch } = this.#list
    if (list.epoch < epoch) return undefined
    const devices = list.epoch > epoch ? list.devices : [...this.#list.devices, ...list.devices]
    const next = { epoch: list.epoch, devices: [...new Set(devices)].sort() }
    if (next.epoch === epoch && next.devices.length === this.#list.devices.length) return undefined
    const { length } = next.devices
    if (length > MEMBERS_MAX) throw new LimitError(`${length} members`, 'MEMBERS_MAX', length)
    txn.put(`${this.#prefix}list`, encodeJson(next))
    return () => {
      this.#list = next
    }
  }

  async ack(kv: KeyValueReader, device: DeviceId): Promise<Acknowledgement | undefined> {
    return decodeAck(device, await kv.get(this.#ackKey(device)))
  }

  /** Of the members, under whatever epoch. */
  async acks(kv: KeyValueReader): Promise<Acknowledgement[]> {
    const { devices } = this.#list
    const rows = await kv.getMany(devices.map((device) => this.#ackKey(device)))
    return devices.flatMap((device, i) => decodeAck(device, rows[i]) ?? [])
  }

  /**
   * Acknowledgements of one epoch grow; those of an older one are forgotten.
   *
   * @returns whether it is news.
   * @throws {LimitError} with what is known they name more replica ids than a vector.
   */
  async takeAck(txn: Transaction, ack: Acknowledgement): Promise<boolean> {
    const known = await this.ack(txn, ack.device)
    if (known && known.epoch > ack.epoch) return false
    const isSame = known?.epoch === ack.epoch
    const applied = isSame ? joinVectors(known.applied, ack.applied) : ack.applied
    const stable = isSame ? joinVectors(known.stable, ack.stable) : ack.stable
    const size = Math.max(applied.size, stable.size)
    if (size > VECTOR_ENTRIES_MAX) {
      throw new LimitError('an acknowledgement of too many replica ids', 'VECTOR_ENTRIES_MAX', size)
    }
    const row: AckRow = { epoch: ack.epoch, applied: [...applied], stable: [...stable] }
    const bytes = encodeJson(row)
    const before = await txn.get(this.#ackKey(ack.device))
    if (before && equalBytes(before, bytes)) return false
    txn.put(this.#ackKey(ack.device), bytes)
    return true
  }

  forgetAck(txn: Transaction, device: DeviceId): void {
    txn.del(this.#ackKey(device))
  }

  #ackKey = (device: DeviceId): string => `${this.#prefix}ack/${device}`
}

function decodeAck(device: DeviceId, bytes: Uint8Array | undefined): Acknowledgement | undefined {
  const row = decodeJson<AckRow>(bytes)
  return row && { device, epoch: row.epoch, applied: new Map(row.applied), stable: new Map(row.stable) }
}
