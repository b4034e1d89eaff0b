import { MemoryKeyValueStore, openReplica, type Replica, type Timers } from '@tidemark/engine'
import type { BlobStore } from '@tidemark/protocol'
import type { Adapters } from './adapters.js'
import { compressor } from './compressor.js'
import { hasher } from './hasher.js'
import type { SimHub } from './hub.js'
import { type Death, isNoSpace, Life, mortalStore, Trap, Volume } from './life.js'
import { mortalClient } from './mortal-blobs.js'
import type { PlantedBug } from './planted-bug.js'
import { SimRandom } from './random.js'
import type { Shown } from './shown.js'
import type { VirtualTime } from './virtual-time.js'

export interface DeviceParts {
  readonly hub: SimHub
  readonly time: VirtualTime
  readonly seed: number
  readonly planted: PlantedBug | undefined
  readonly adapters: Adapters
  /** Lines for the trace. */
  note(line: string): void
  /** The hub refused what a program without a folder wrote: by its content key. */
  onRefused(key: string): void
}

/** A machine with a database on it, and a program that may run, be killed, or start again. */
export abstract class Device {
  /** For what nobody decides: ids, late watch events. */
  protected readonly random: SimRandom
  readonly database = { trap: new Trap(), volume: new Volume() }
  /** Waits at calls to the blob store. */
  readonly storeTrap = new Trap()
  /** How the program died by itself, if it did. */
  protected death: Death | undefined
  #hasLost = false
  #store = new MemoryKeyValueStore({ crashable: true })
  #backup: MemoryKeyValueStore | undefined
  #life: Life | undefined
  #replica: Replica | undefined

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

  /** Whether the database may be older than it was, since somebody last asked. */
  takeHasLost(): boolean {
    const hasLost = this.#hasLost
    this.#hasLost = false
    return hasLost
  }

  /** @returns whether it runs now: a full disk may keep it from starting, and it may die at once. */
  async start(): Promise<boolean> {
    if (this.#life) return true
    const life = new Life()
    this.#life = life
    try {
      await Promise.race([this.#boot(life), life.ended])
    } catch (error) {
      const isRefused = /^E[A-Z]+$/.test(String((error as NodeJS.ErrnoException).code))
      if (life.isAlive && !isRefused && !isNoSpace(error)) throw error
      life.end()
    }
    if (life.isAlive) return true
    await this.kill()
    return false
  }

  async #boot(life: Life): Promise<void> {
    const { hub, time, planted } = this.parts
    const timers: Timers = {
      monotonicMs: () => time.monotonicMs(),
      after: (ms, fn) => time.after(ms, () => life.isAlive && fn()),
    }
    const storage = mortalStore(this.#store, life, this.database, (death) => {
      this.death = death
      this.parts.note(`${this.name} dies at a write to its database`)
    })
    const { blobs } = this
    const replica = await openReplica({
      storage,
      place: this.name,
      ...(blobs ? { blobs } : {}),
      platform: {
        clock: time,
        timers,
        random: { bytes: this.random.bytes },
        hasher: planted?.hasher?.(hasher) ?? hasher,
        compressor,
        blobClient: () => {
          throw new TypeError('each link has its own')
        },
      },
    })
    const blobClient = mortalClient(hub.blobClient, {
      life,
      trap: this.storeTrap,
      onDeath: (death) => {
        this.death = death
        this.parts.note(`${this.name} dies at a call to the blob store`)
      },
    })
    this.#replica = replica
    replica.connect(hub.transport(this.name, life), { blobClient, token: this.name })
    await this.run(replica, life, timers)
  }

  /** Of the program that runs; another one has forgotten what was asked of it. */
  get transfers(): Replica['transfers'] | undefined {
    return this.isRunning ? this.#replica?.transfers : undefined
  }

  /** SIGKILL: the system keeps what the program gave to it. */
  async kill(): Promise<void> {
    if (!this.#life) return
    await this.#end()
    const isRowless = this.death === 'rowless'
    this.#store = this.#store.crash(isRowless ? 0 : this.#store.unsyncedBatches)
    this.#hasLost ||= isRowless || this.death === 'bare'
    this.death = undefined
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
    this.#life?.end()
    this.#life = undefined
    this.#replica = undefined
    await this.parts.hub.forget(this.name)
    const store = this.parts.adapters.stores.get(this.name)
    if (store) await store.reopen()
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
  heal(): void {
    this.transfers?.resume()
    this.transfers?.limit({})
  }

  /** Those of these texts that are anywhere on this machine, seen or not. */
  abstract holds(texts: readonly string[]): Promise<readonly string[]>
}
