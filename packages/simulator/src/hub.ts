import { MemoryKeyValueStore, PackFormat } from '@tidemark/engine'
import { type Transport, TransportError } from '@tidemark/protocol'
import {
  createMemoryTransportPair,
  MemoryBlobStore,
  type MemoryTransportPair,
} from '@tidemark/protocol/memory'
import {
  BlobIndex,
  HubBlobs,
  type HubEngine,
  openHubReplica,
  silentLogger,
  TokenAuthenticator,
} from '@tidemark/server-reference'
import { hasher } from './hasher.js'
import type { SimRandom } from './random.js'
import type { VirtualTime } from './virtual-time.js'

/** Time that a frame takes, at most, milliseconds. */
const LATENCY_MS_MAX = 40

/** A hub over a database that a crash throws back, and a store that keeps what it has. */
export class SimHub {
  readonly blobs: MemoryBlobStore
  /** By device. */
  readonly #pairs = new Map<string, MemoryTransportPair>()
  #store = new MemoryKeyValueStore({ crashable: true })
  #backup: MemoryKeyValueStore | undefined
  #engine: HubEngine | undefined

  constructor(
    private readonly time: VirtualTime,
    private readonly random: SimRandom,
  ) {
    this.blobs = new MemoryBlobStore({ sha256: hasher.sha256, now: () => time.nowMs() })
  }

  async start(): Promise<void> {
    const blobs = new HubBlobs({
      blobs: this.blobs,
      index: new BlobIndex(this.#store),
      packs: new PackFormat(hasher),
      hasher,
      logger: silentLogger,
      rebuildAtStart: false,
    })
    const authenticator = new TokenAuthenticator([], { anonymous: true })
    const open = openHubReplica({ timers: this.time, random: { bytes: this.random.bytes }, hasher })
    this.#engine = await open({
      storage: this.#store,
      blobs: this.blobs,
      clock: this.time,
      logger: silentLogger,
      authenticate: (token) => authenticator.authenticate(token),
      blobAuthority: (space) => blobs.authority(space),
      blobAudit: (space) => blobs.audit(space),
    })
  }

  /** A device's way to this hub, whichever process it is. */
  transport(device: string): Transport {
    const pair = createMemoryTransportPair({
      schedule: (task) => void this.time.after(this.random.below(LATENCY_MS_MAX), task),
    })
    this.#pairs.set(device, pair)
    pair.listener.onConnection((connection) => {
      if (this.#engine) this.#engine.accept(connection, { logger: silentLogger })
      else connection.close('no hub')
    })
    return pair.transport
  }

  /** Breaks the line of one device; it may dial again. */
  cut(device: string): void {
    this.#pairs.get(device)?.sever(new TransportError('cut'))
  }

  /** The device is gone: it dials no more. */
  async forget(device: string): Promise<void> {
    this.cut(device)
    await this.#pairs.get(device)?.listener.close()
    this.#pairs.delete(device)
  }

  /** The process dies, and another one starts on what is durable. */
  async crash(): Promise<void> {
    this.#engine = undefined
    for (const device of this.#pairs.keys()) this.cut(device)
    this.#store = this.#store.crash(this.random.below(this.#store.unsyncedBatches + 1))
    await this.start()
  }

  backUp(): void {
    this.#backup = this.#store.backup()
  }

  /** Another process starts on the database of the backup; the blobs are as they are. */
  async rollBack(): Promise<boolean> {
    if (!this.#backup) return false
    await this.crash()
    this.#engine = undefined
    this.#store = this.#backup.backup()
    await this.start()
    return true
  }
}
