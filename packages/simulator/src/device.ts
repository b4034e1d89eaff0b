import {
  type KeyValueStore,
  MemoryKeyValueStore,
  openReplica,
  type Replica,
  type Timers,
} from '@tidemark/engine'
import type { BlobStore } from '@tidemark/protocol'
import { hasher } from './hasher.js'
import type { SimHub } from './hub.js'
import type { PlantedBug } from './planted-bug.js'
import { SimRandom } from './random.js'
import type { Shown } from './shown.js'
import type { VirtualTime } from './virtual-time.js'

export const SPACE = 'default'

/** A program on a device: what it does after its end is nobody's business. */
export interface Life {
  isAlive: boolean
}

export interface DeviceParts {
  readonly hub: SimHub
  readonly time: VirtualTime
  readonly seed: number
  readonly planted: PlantedBug | undefined
  /** Lines for the trace. */
  note(line: string): void
}

/** A machine with a database on it, and a program that may run, be killed, or start again. */
export abstract class Device {
  /** For what nobody decides: ids, late watch events. */
  protected readonly random: SimRandom
  #store = new MemoryKeyValueStore({ crashable: true })
  #backup: MemoryKeyValueStore | undefined
  #life: Life | undefined

  constructor(
    readonly name: string,
    protected readonly parts: DeviceParts,
  ) {
    this.random = SimRandom.of(parts.seed, `device ${name}`)
  }

  get isRunning(): boolean {
    return this.#life?.isAlive === true
  }

  /** The program is dead, and nobody has noticed yet. */
  get isZombie(): boolean {
    return this.#life?.isAlive === false
  }

  /** For looking only. */
  get storage(): MemoryKeyValueStore {
    return this.#store
  }

  /** @returns whether it runs now: a full disk may keep it from starting, and it may die at once. */
  async start(): Promise<boolean> {
    if (this.#life) return true
    const life: Life = { isAlive: true }
    this.#life = life
    const { hub, time, planted } = this.parts
    const timers: Timers = {
      monotonicMs: () => time.monotonicMs(),
      after: (ms, fn) => time.after(ms, () => life.isAlive && fn()),
    }
    const { blobs } = this
    const replica = await openReplica({
      storage: whileAlive(this.#store, life),
      place: this.name,
      ...(blobs ? { blobs } : {}),
      platform: {
        clock: time,
        timers,
        random: { bytes: this.random.bytes },
        hasher: planted?.hasher?.(hasher) ?? hasher,
        blobClient: () => {
          throw new TypeError('each link has its own')
        },
      },
    })
    replica.connect(hub.transport(this.name, life), { blobClient: hub.blobClient })
    try {
      await this.run(replica, life, timers)
      return true
    } catch (error) {
      const isRefused = /^E[A-Z]+$/.test(String((error as NodeJS.ErrnoException).code))
      if (life.isAlive && !isRefused) throw error
      await this.kill()
      return false
    }
  }

  /** SIGKILL: the system keeps what the program gave to it. */
  async kill(): Promise<void> {
    if (!this.#life) return
    await this.#end()
    this.#store = this.#store.crash(this.#store.unsyncedBatches)
  }

  /** The power goes: what nobody made durable may be gone. */
  async powerCut(random: SimRandom): Promise<void> {
    await this.#end()
    this.#store = this.#store.crash(random.below(this.#store.unsyncedBatches + 1))
  }

  /** Remembers the database as it is now. */
  backUp(): void {
    this.#backup = this.#store.backup()
  }

  /** The program ends, and the next one finds the database of the backup. @returns whether there was one. */
  async rollBack(): Promise<boolean> {
    if (!this.#backup) return false
    await this.kill()
    this.#store = this.#backup.backup()
    return true
  }

  /** The database of another device. Precondition: this one never ran. */
  protected takeDatabaseOf(other: Device): void {
    this.#store = other.#store.backup()
  }

  async #end(): Promise<void> {
    if (this.#life) this.#life.isAlive = false
    this.#life = undefined
    await this.parts.hub.forget(this.name)
  }

  /** Bytes on this device that no folder shows. */
  protected get blobs(): BlobStore | undefined {
    return undefined
  }

  protected abstract run(replica: Replica, life: Life, timers: Timers): Promise<void>

  /** Whether it says that all is done. */
  abstract isIdle(): boolean
  /** Why not, for people. */
  abstract explain(): string
  /** What its user sees, to be compared with others. */
  abstract shown(): Promise<Shown>
  /** All troubles of this machine are over. */
  abstract heal(): void
  /** Those of these texts that are anywhere on this machine, seen or not. */
  abstract holds(texts: readonly string[]): Promise<readonly string[]>
}

/** A program that is dead writes nothing any more. */
function whileAlive(store: MemoryKeyValueStore, life: Life): KeyValueStore {
  return {
    get: (key) => store.get(key),
    getMany: (keys) => store.getMany(keys),
    range: (range) => store.range(range),
    snapshot: () => store.snapshot(),
    batch: (ops, options) => (life.isAlive ? store.batch(ops, options) : new Promise(() => undefined)),
    close: () => store.close(),
  }
}
