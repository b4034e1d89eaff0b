import {
  type AskForBytes,
  type Custody,
  type KeyValueStore,
  type SpaceDatabase,
  type SpacePeers,
  type Timers,
  visibleContents,
} from '@tidemark/engine'
import {
  IDS_PER_REQUEST_MAX,
  type NodeEntry,
  type NodeId,
  type SpaceName,
  type WantedVersion,
} from '@tidemark/protocol'
import type { BlobAudit } from './grants/hub-blobs.js'
import { type LackingVersion, LackingVersions } from './lacking-versions.js'
import { LateBytes } from './late-bytes.js'
import type { Logger } from './logger.js'
import { LossAudit } from './loss-audit.js'

export interface ByteCustodyParts {
  readonly space: SpaceName
  readonly database: SpaceDatabase
  readonly peers: SpacePeers
  readonly storage: KeyValueStore
  readonly timers: Timers
  readonly audit: BlobAudit
  readonly logger: Logger
}

/**
 * The hub's care for the bytes of one space: what it shows and lacks is asked of every device that may
 * write, when it connects and when more is found. Three things make bytes go: a backup that is older than
 * what devices hold (they tell the hub of entries it lost), blobs that vanish from the store (the index
 * names them), and the sweep (an entry that names what was stored long ago). Nothing is looked at while none of
 * them happens. See docs/decisions/0013 and 0021.
 */
export class ByteCustody implements Custody {
  readonly #parts: ByteCustodyParts
  readonly #lacking: LackingVersions
  /** Notes and rechecks one after the other: a recheck between a note and its entry would drop the note. */
  #tail: Promise<unknown> = Promise.resolve()
  readonly #lossAudit: LossAudit
  #isReindexed = false
  #reindexing: Promise<void> | undefined
  readonly #late: LateBytes
  readonly #ending = new AbortController()

  constructor(parts: ByteCustodyParts) {
    this.#parts = parts
    this.#lacking = new LackingVersions(parts.storage, parts.space)
    this.#late = new LateBytes(parts.timers, (versions) => this.#askForLate(versions))
    this.#lossAudit = new LossAudit({
      ...parts,
      scan: () => this.#scan(),
      onFailed: (error) => this.#failed(error),
    })
  }

  async catchUp<T>(entries: readonly NodeEntry[], receive: () => Promise<T>): Promise<T> {
    const { result, lacking } = await this.#exclusive(async () => {
      const lacking = await this.#note([...entries, ...(await this.#mayShowAgain(entries))])
      return { result: await receive(), lacking }
    })
    // Not awaited: a slow peer must not hold up the one that speaks.
    void this.#guarded(() => this.#askAll(lacking))
    return result
  }

  async receive<T>(entries: readonly NodeEntry[], receive: () => Promise<T>): Promise<T> {
    const { audit } = this.#parts
    const contents = entries.flatMap(contentsOf)
    if ((await audit.unsure(contents)).length > 0) return this.catchUp(entries, receive)
    const unknown = await audit.unknown(contents)
    if (unknown.length === 0) return receive()
    // Not asked for yet: they are on their way, as a rule. Not if they were here, and this database went back before
    // the entry came.
    this.#late.expect(unknown)
    return this.#exclusive(async () => {
      await this.#lacking.add(unknown)
      return receive()
    })
  }

  async opened(ask: AskForBytes): Promise<void> {
    const last = await this.#askPage(undefined, ask)
    if (last) void this.#guarded(() => this.#askRest(last, ask))
  }

  /** Ends what runs in the background. */
  async close(): Promise<void> {
    this.#ending.abort()
    this.#late.close()
    await this.#lossAudit.close()
    await this.#tail
    await this.#reindexing
  }

  async #askForLate(versions: readonly LackingVersion[]): Promise<readonly LackingVersion[]> {
    const left: LackingVersion[] = []
    for (let from = 0; from < versions.length; from += IDS_PER_REQUEST_MAX) {
      const page = versions.slice(from, from + IDS_PER_REQUEST_MAX)
      // Where it cannot be known now they are asked for once more.
      let lacking: readonly LackingVersion[] = page
      await this.#guarded(async () => {
        lacking = await this.#exclusive(() => this.#stillLacking(page))
      })
      left.push(...lacking)
      // Not awaited: a slow peer must not hold up the others.
      void this.#guarded(() => this.#askAll(lacking))
    }
    return left
  }

  async #askRest(after: LackingVersion, ask: AskForBytes): Promise<void> {
    let last: LackingVersion | undefined = after
    while (last && !this.#isClosed) last = await this.#askPage(last, ask)
  }

  /** @returns the last one that was looked at, if there may be more. */
  async #askPage(after: LackingVersion | undefined, ask: AskForBytes): Promise<LackingVersion | undefined> {
    const { page, lacking } = await this.#exclusive(() => this.#recheck(after))
    if (lacking.length > 0) {
      await ask(distinct(lacking))
      // The process that noted them may have ended before it could read the store.
      void this.#reindex()
    }
    return page.length < IDS_PER_REQUEST_MAX ? undefined : page.at(-1)
  }

  /**
   * Nodes whose place these entries change, as far as they are known: contents that a deletion has hidden are
   * shown again by a move of somebody who did not know of it. Those that are not after all go at a recheck.
   */
  async #mayShowAgain(entries: readonly NodeEntry[]): Promise<readonly NodeEntry[]> {
    const moved = entries.filter(({ kind, loc }) => kind === 'file' && loc.length > 0).map(({ id }) => id)
    if (moved.length === 0) return []
    const nodes = await this.#nodesOf(moved)
    return nodes.flatMap((node) => (node ? { ...node, loc: [] } : []))
  }

  async #nodesOf(ids: readonly NodeId[]): Promise<readonly (NodeEntry | undefined)[]> {
    const snapshot = await this.#parts.database.snapshot()
    try {
      return await snapshot.nodes(ids)
    } finally {
      await snapshot.close()
    }
  }

  async #recheck(
    after: LackingVersion | undefined,
  ): Promise<{ page: readonly LackingVersion[]; lacking: readonly LackingVersion[] }> {
    const page = await this.#lacking.read(after, IDS_PER_REQUEST_MAX)
    return { page, lacking: await this.#stillLacking(page) }
  }

  /** Drops what came since, and what nobody shows any more. @returns the rest. */
  async #stillLacking(versions: readonly LackingVersion[]): Promise<readonly LackingVersion[]> {
    if (versions.length === 0) return []
    const nodes = await this.#nodesOf(versions.map(({ node }) => node))
    const shown = versions.filter((version, i) => nodes[i] && shows(nodes[i], version))
    const lacking = await this.#parts.audit.lacking(shown, this.#ending.signal)
    const kept = new Set(lacking)
    await this.#lacking.remove(versions.filter((version) => !kept.has(version)))
    return lacking
  }

  /** @returns those contents of these entries that the hub lacks; they are kept. */
  async #note(entries: readonly NodeEntry[]): Promise<readonly LackingVersion[]> {
    const { audit, space, logger } = this.#parts
    let lacking = await audit.lacking(entries.flatMap(contentsOf), this.#ending.signal)
    if (lacking.length > 0 && !this.#isReindexed) {
      await this.#reindex()
      this.#ending.signal.throwIfAborted()
      lacking = await audit.lacking(lacking, this.#ending.signal)
    }
    if (lacking.length === 0) return lacking
    await this.#lacking.add(lacking)
    logger.warn('bytes-lacking', { space, versions: lacking.length })
    return lacking
  }

  /** Once: the store may have what only the database has forgotten. */
  async #reindex(): Promise<void> {
    if (this.#isReindexed) return
    // A store that cannot be read now keeps nobody from exchanging entries.
    this.#reindexing ??= this.#guarded(async () => {
      await this.#parts.audit.reindex(this.#ending.signal)
      this.#isReindexed = true
    }).finally(() => {
      this.#reindexing = undefined
    })
    await this.#reindexing
  }

  async #askAll(lacking: readonly LackingVersion[]): Promise<void> {
    if (lacking.length === 0) return
    const versions = distinct(lacking)
    await Promise.all([...this.#parts.peers.all].map(({ exchange }) => exchange.want(versions)))
  }

  /** What is lacking of everything that is shown is noted, and asked for. */
  async #scan(): Promise<void> {
    const snapshot = await this.#parts.database.snapshot()
    try {
      for await (const page of snapshot.log(0)) {
        const nodes = await snapshot.nodes(page.map(({ node }) => node))
        const known = nodes.filter((node) => node !== undefined)
        await this.#askAll(await this.#exclusive(() => this.#note(known)))
        if (this.#isClosed) return
      }
    } finally {
      await snapshot.close()
    }
  }

  get #isClosed(): boolean {
    return this.#ending.signal.aborted
  }

  #exclusive<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#tail.then(work)
    this.#tail = result.catch(() => undefined)
    return result
  }

  /** In the background a failure ends the attempt, not the hub. */
  async #guarded(work: () => Promise<void>): Promise<void> {
    await work().catch((error: unknown) => this.#failed(error))
  }

  #failed(error: unknown): void {
    const { logger, space } = this.#parts
    if (!this.#isClosed) logger.error('byte-audit-failed', { space, error })
  }
}

/** Contents with bytes: a symlink's target travels with its entry. */
function contentsOf(entry: NodeEntry): LackingVersion[] {
  if (entry.kind !== 'file') return []
  return visibleContents(entry).map(({ value: { root, height, size } }) => ({
    node: entry.id,
    root: root!,
    height,
    size,
  }))
}

const shows = (entry: NodeEntry, { root }: LackingVersion): boolean =>
  contentsOf(entry).some((version) => version.root === root)

/** One a root, as the message carries it. */
function distinct(versions: readonly LackingVersion[]): readonly WantedVersion[] {
  return [...new Map(versions.map(({ root, height, size }) => [root, { root, height, size }])).values()]
}
