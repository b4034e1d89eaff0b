import type { BlobAuthority, Hasher, PackFormat, SpaceDatabase } from '@tidemark/engine'
import type { BlobId, BlobStore, SpaceName, WantedVersion } from '@tidemark/protocol'
import type { Logger } from '../logger.js'
import { SpaceSweep, type SweepResult } from '../sweep/space-sweep.js'
import type { Uptime } from '../uptime.js'
import type { BlobIndex } from './blob-index.js'
import { newReadingBudget } from './blob-reader.js'
import { HubBlobAuthority } from './hub-blob-authority.js'

export interface HubBlobsParts {
  readonly blobs: BlobStore
  readonly index: BlobIndex
  readonly packs: Pick<PackFormat, 'verify' | 'build' | 'plain'>
  readonly hasher: Hasher
  readonly logger: Logger
  /** See `HubBlobAuthority`. */
  readonly rebuildAtStart: boolean
}

/** What the hub knows of bytes that it should have and has not. */
export interface BlobAudit {
  /** Those of these contents that the hub cannot give out whole. @throws {StoreError}, the signal's reason. */
  lacking<V extends WantedVersion>(versions: readonly V[], signal?: AbortSignal): Promise<V[]>
  /** Those of these contents of which the index does not even name the root: no question to the store. */
  unknown<V extends WantedVersion>(versions: readonly V[]): Promise<V[]>
  /** Those of these contents whose bytes may have been deleted since they were stored. */
  unsure<V extends WantedVersion>(versions: readonly V[]): Promise<V[]>
  /** Notes blobs that are indexed and not in the store. @returns how many. */
  dropLost(): Promise<number>
  /** Reads blobs that the store has and the index does not name: a database that is older than its store. @throws the signal's reason. */
  reindex(signal?: AbortSignal): Promise<void>
  /** How many losses there were, where it is not known what all of the lost blobs were needed for. */
  due(): Promise<number | undefined>
  /** That is known now. @param losses What `due` said: nothing is done where there are more by now. */
  done(losses: number): Promise<void>
  /** Called when a blob was found to be lost; one listener. */
  onLost(listener: () => void): void
}

/** When what is swept. */
export interface SweepOptions {
  readonly uptime: Uptime
  /** How long a chunk is condemned before it is deleted, milliseconds. */
  readonly keepMs: number
  /** See `StoreClaim`. */
  soleSinceMs(): Promise<number | undefined>
  readonly signal: AbortSignal
}

/** The authorities of all spaces: one each, so that concurrent sessions share its groups. */
export class HubBlobs {
  readonly #spaces = new Map<SpaceName, HubBlobAuthority>()

  readonly #listeners = new Map<SpaceName, () => void>()
  readonly #reading = newReadingBudget()

  constructor(private readonly parts: HubBlobsParts) {}

  authority(space: SpaceName): BlobAuthority {
    return this.#of(space)
  }

  audit(space: SpaceName): BlobAudit {
    const authority = this.#of(space)
    const { index } = this.parts
    return {
      lacking: (versions, signal) => authority.lacking(versions, signal),
      unknown: async (versions) => {
        const places = await index.locators(
          space,
          versions.map(({ root }) => root),
        )
        return versions.filter(({ size }, i) => size > 0 && places[i]!.length === 0)
      },
      unsure: (versions) => authority.unsure(versions),
      dropLost: () => authority.dropLost(),
      reindex: async (signal) => void (await authority.rebuildIndex(signal)),
      due: () => index.auditDue(space),
      done: (losses) => index.auditDone(space, losses),
      onLost: (listener) => void this.#listeners.set(space, listener),
    }
  }

  /** One pass over one space, see `SpaceSweep`. */
  sweep(database: SpaceDatabase, { signal, ...when }: SweepOptions): Promise<SweepResult | undefined> {
    const { space } = database
    const blobs = this.#of(space).swept
    const onLacking = () => this.#listeners.get(space)?.()
    return new SpaceSweep({ ...this.parts, space, database, blobs, ...when, onLacking }).run(signal)
  }

  /** See `Hub.blobsCreated`. */
  created(space: SpaceName, blobs: readonly BlobId[]): Promise<void> {
    return this.#of(space).created(blobs)
  }

  /** An upload by grant is durable: indexed in passing, its bytes are at hand. */
  async uploaded(space: SpaceName, id: BlobId, bytes: Uint8Array): Promise<void> {
    await this.#of(space).indexBlob(id, bytes)
  }

  #of(space: SpaceName): HubBlobAuthority {
    let authority = this.#spaces.get(space)
    if (!authority) {
      authority = new HubBlobAuthority({
        ...this.parts,
        space,
        reading: this.#reading,
        onBlobLost: () => this.#listeners.get(space)?.(),
      })
      this.#spaces.set(space, authority)
    }
    return authority
  }
}
