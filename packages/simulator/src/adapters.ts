import type { BlobStoreFixture, TransportFixture } from '@tidemark/protocol/conformance'
import { AdaptedLines } from './adapted-lines.js'
import { AdaptedStore } from './adapted-store.js'
import { Outside } from './outside.js'

const PATIENCE_MS = 10_000

/** What an embedder puts in the place of parts of the simulation: the setup functions of its conformance tests. */
export interface AdapterOptions {
  /** Called once a run: all frames between devices and the hub go through its connections. */
  readonly transport?: (() => Promise<TransportFixture>) | undefined
  /** Called for the hub and for each device without a folder: they keep blobs. */
  readonly blobStore?: (() => Promise<BlobStoreFixture>) | undefined
  /** What an adapter has not done by then is lost; milliseconds by the real clock. @default 10,000 */
  readonly adapterPatienceMs?: number | undefined
}

/** The adapters of one run. */
export class Adapters {
  readonly outside: Outside
  /** By who keeps it. */
  readonly stores = new Map<string, AdaptedStore>()
  #transport: TransportFixture | undefined
  #lines: AdaptedLines | undefined

  private constructor(patienceMs: number) {
    this.outside = new Outside(patienceMs)
  }

  /** @param keepers Who keeps blobs. */
  static async open(options: AdapterOptions, keepers: readonly string[]): Promise<Adapters> {
    const adapters = new Adapters(options.adapterPatienceMs ?? PATIENCE_MS)
    try {
      await adapters.#open(options, keepers)
    } catch (error) {
      await adapters.close()
      throw error
    }
    return adapters
  }

  get lines(): AdaptedLines | undefined {
    return this.#lines
  }

  async close(): Promise<void> {
    await this.#transport?.close()
    for (const store of this.stores.values()) await store.close()
  }

  async #open({ transport, blobStore }: AdapterOptions, keepers: readonly string[]): Promise<void> {
    this.#transport = await transport?.()
    this.#lines = this.#transport && new AdaptedLines(this.#transport, this.outside)
    if (!blobStore) return
    for (const keeper of keepers) this.stores.set(keeper, new AdaptedStore(await blobStore(), this.outside))
  }
}
