import type { Clock, KeyValueOp, KeyValueStore, Timers } from '@tidemark/engine'
import type { DeviceId, SpaceName } from '@tidemark/protocol'
import type { Logger } from './logger.js'

const DAY_MS = 24 * 3_600_000
/** The limit is looked at so often before it is reached. */
const CHECKS_MIN = 4

export interface SilentMembersParts {
  readonly storage: KeyValueStore
  readonly clock: Clock
  readonly timers: Timers
  /** Silence after which a device is no member any more, milliseconds. */
  readonly evictAfterMs: number
  readonly logger: Logger
  /** Devices with a session on this space now, and members of which nothing was noted yet. */
  present(
    space: SpaceName,
  ): Promise<{ readonly connected: Iterable<DeviceId>; readonly members: readonly DeviceId[] }>
  evict(space: SpaceName, device: DeviceId): Promise<void>
}

/** A device, and who uses it. */
export interface Member {
  readonly device: DeviceId
  readonly subject: string
}

interface Silence {
  readonly silentMs: number
  /** Whoever could write with it at its last `open`; unknown: nobody's. */
  readonly subject?: string | undefined
}

/**
 * How long devices that may write to a space have been silent, while the hub was there to hear them: clocks that
 * jump, and a hub that was off for months, evict nobody. One row a space below `silence/`.
 */
export class SilentMembers {
  readonly #parts: SilentMembersParts
  readonly #silenceMs = new Map<SpaceName, Map<DeviceId, Silence>>()
  #checkedMs: number | undefined
  #cancel: (() => void) | undefined
  #tail: Promise<void> = Promise.resolve()
  #isClosed = false

  constructor(parts: SilentMembersParts) {
    this.#parts = parts
  }

  get #everyMs(): number {
    return Math.min(DAY_MS, this.#parts.evictAfterMs / CHECKS_MIN)
  }

  async start(): Promise<void> {
    const { storage } = this.#parts
    for await (const page of storage.range({ gte: PREFIX, lt: `${PREFIX.slice(0, -1)}0` })) {
      for (const [key, row] of page) {
        const silence = JSON.parse(decoder.decode(row)) as [DeviceId, Silence][]
        this.#silenceMs.set(key.slice(PREFIX.length) as SpaceName, new Map(silence))
      }
    }
    const checked = await storage.get(CHECKED)
    this.#checkedMs = checked && Number(decoder.decode(checked))
    await this.#exclusive(() => this.#check())
    this.#schedule()
  }

  /** A member has opened the space. */
  seen(space: SpaceName, { device, subject }: Member): Promise<void> {
    return this.#exclusive(async () => {
      const silence = this.#of(space)
      const known = silence.get(device)
      if (known?.silentMs === 0 && known.subject === subject) return
      silence.set(device, { silentMs: 0, subject })
      await this.#parts.storage.batch([rowOf(space, silence)], { sync: false })
    })
  }

  /**
   * A device may only read, and is no member any more: if it is the one that could write. Device ids are no secret:
   * whoever may read could name another's as its own.
   */
  forget(space: SpaceName, { device, subject }: Member): Promise<void> {
    return this.#exclusive(async () => {
      const silence = this.#of(space)
      if (silence.get(device)?.subject !== subject) return
      await this.#parts.evict(space, device)
      silence.delete(device)
      await this.#parts.storage.batch([rowOf(space, silence)], { sync: false })
    })
  }

  /** Idempotent. */
  close(): Promise<void> {
    this.#isClosed = true
    this.#cancel?.()
    return this.#tail
  }

  #schedule(): void {
    if (this.#isClosed) return
    this.#cancel = this.#parts.timers.after(this.#everyMs, () => {
      void this.#exclusive(() => this.#check())
        .catch((error: unknown) => this.#parts.logger.error('member-check-failed', { error }))
        .finally(() => this.#schedule())
    })
  }

  async #check(): Promise<void> {
    const { storage, clock, logger } = this.#parts
    const nowMs = clock.nowMs()
    const passedMs = Math.min(this.#everyMs, Math.max(0, nowMs - (this.#checkedMs ?? nowMs)))
    const ops: KeyValueOp[] = []
    for (const [space, silence] of this.#silenceMs) {
      try {
        await this.#checkSpace(space, silence, passedMs)
      } catch (error) {
        // One that cannot be opened does not stop the others.
        logger.error('member-check-failed', { space, error })
      }
      ops.push(rowOf(space, silence))
    }
    this.#checkedMs = nowMs
    ops.push({ type: 'put', key: CHECKED, value: encoder.encode(String(nowMs)) })
    await storage.batch(ops, { sync: false })
  }

  async #checkSpace(space: SpaceName, silence: Map<DeviceId, Silence>, passedMs: number): Promise<void> {
    const { evictAfterMs, logger, present, evict } = this.#parts
    const { connected, members } = await present(space)
    for (const device of members) if (!silence.has(device)) silence.set(device, { silentMs: 0 })
    for (const [device, row] of silence) silence.set(device, { ...row, silentMs: row.silentMs + passedMs })
    for (const device of connected) {
      const row = silence.get(device)
      if (row) silence.set(device, { ...row, silentMs: 0 })
    }
    for (const [device, { silentMs }] of silence) {
      if (silentMs < evictAfterMs) continue
      await evict(space, device)
      silence.delete(device)
      logger.info('member-evicted', { space, device })
    }
  }

  #of(space: SpaceName): Map<DeviceId, Silence> {
    const known = this.#silenceMs.get(space) ?? new Map<DeviceId, Silence>()
    this.#silenceMs.set(space, known)
    return known
  }

  #exclusive<T>(fn: () => Promise<T>): Promise<T> {
    const result = this.#tail.then(fn)
    this.#tail = result.then(noop, noop)
    return result
  }
}

const PREFIX = 'silence/'
const CHECKED = 'silence-checked'
const encoder = new TextEncoder()
const decoder = new TextDecoder()
const noop = (): void => undefined

const rowOf = (space: SpaceName, silence: ReadonlyMap<DeviceId, Silence>): KeyValueOp => ({
  type: 'put',
  key: PREFIX + space,
  value: encoder.encode(JSON.stringify([...silence])),
})
