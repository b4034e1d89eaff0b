import { bytesToHex, type DeviceId, type SpaceName } from '@tidemark/protocol'
import { MemoryKeyValueStore } from '../../adapters/memory-store.js'
import type { SpaceDatabase, SpaceMode } from '../../database/space-database.js'
import type { TakenBack } from '../../database/space-refusals.js'
import { nodeHasher } from '../../node/node-hasher.js'
import { type PlantedBug, plantedDatabase, plantedRandom } from './planted-bugs.js'
import type { SeededRandom } from './random.js'

const SPACE = 'sim' as SpaceName

export interface SiteOptions {
  readonly index: number
  readonly mode: SpaceMode
  readonly random: SeededRandom
  readonly bug: PlantedBug | undefined
  /** Of another site that this one is a copy of. @default one of its own */
  readonly device?: DeviceId
  /** Milliseconds of the world's clock. */
  nowMs(): number
  /** What the hub refused was taken back here. @param isDoubtful The process is gone meanwhile. */
  tookBack(taken: readonly TakenBack[], isDoubtful: boolean): void
}

/** One device: a real space database over a store that can crash, be copied and be put back. */
export class Site {
  readonly index: number
  readonly mode: SpaceMode
  readonly device: DeviceId
  readonly #options: SiteOptions
  #store: MemoryKeyValueStore
  #database: SpaceDatabase | undefined
  /** Counts starts of the process: what an earlier one still does reaches nobody. */
  life = 0
  /** What this device's wall clock is off by, in milliseconds. */
  skewMs = 0
  readonly backups: MemoryKeyValueStore[] = []

  constructor(options: SiteOptions, store = new MemoryKeyValueStore({ crashable: true })) {
    this.#options = options
    this.index = options.index
    this.mode = options.mode
    this.device = options.device ?? (bytesToHex(options.random.bytes(8)) as DeviceId)
    this.#store = store
  }

  get database(): SpaceDatabase {
    if (!this.#database) throw new TypeError(`site ${this.index} is down`)
    return this.#database
  }

  get isOpen(): boolean {
    return this.#database !== undefined
  }

  /** Whether people work here. */
  get hasUser(): boolean {
    return this.mode !== 'relay'
  }

  get store(): MemoryKeyValueStore {
    return this.#store
  }

  async open(): Promise<void> {
    this.life++
    const { mode, random, bug, nowMs } = this.#options
    this.#database = await plantedDatabase(bug, {
      storage: this.#store,
      space: SPACE,
      mode,
      device: this.device,
      clock: { nowMs: () => nowMs() + this.skewMs },
      random: plantedRandom(bug, random, this.index),
      sha256: nodeHasher.sha256,
    })
    this.#watchRefusals(this.#database)
  }

  #watchRefusals({ refusals }: SpaceDatabase): void {
    const { life } = this
    const takeBack = refusals.takeBack.bind(refusals)
    refusals.takeBack = async (list) => {
      const taken = await takeBack(list)
      this.#options.tookBack(taken, life !== this.life)
      return taken
    }
  }

  /** The process dies; `kept` of the batches that were not durable survive. */
  async crash(kept: number): Promise<void> {
    await this.restart(this.#store.crash(kept))
  }

  /** The process ends, the files are replaced, and it starts again. */
  async restart(store: MemoryKeyValueStore): Promise<void> {
    this.#database = undefined
    this.#store = store
    await this.open()
  }

  get name(): string {
    return `${this.mode} ${this.index}`
  }
}

/** Keys of the registers and the view of the received or the synced tree. */
export const rowRange = (tree: 'r' | 'y', rows: 'n' | 'e'): { gte: string; lt: string } => ({
  gte: `s/${SPACE}/${tree}/${rows}/`,
  lt: `s/${SPACE}/${tree}/${rows}0`,
})
