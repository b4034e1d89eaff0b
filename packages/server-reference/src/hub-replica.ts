import {
  type BlobAuthority,
  ChunkCache,
  Housekeeper,
  type KeyValueStore,
  makeHello,
  type Platform,
  type Refuse,
  Session,
  type SessionHost,
  SpaceDatabase,
  SpacePeers,
} from '@tidemark/engine'
import {
  AccessError,
  bytesToHex,
  type Connection,
  type DeviceId,
  parseDeviceId,
  parseSpaceName,
  REPLICA_ID_BYTES,
  type SpaceName,
} from '@tidemark/protocol'
import type { Subject } from './auth/token.js'
import { ByteCustody } from './byte-custody.js'
import { EVICT_AFTER_DAYS } from './config.js'
import type { HubCounts, HubEngine, HubServices, OpenHubEngine } from './hub-engine.js'
import type { Logger } from './logger.js'
import { SilentMembers } from './silent-members.js'
import { CLAIMS_SPACE, StoreClaim } from './sweep/store-claim.js'
import { Sweeper } from './sweep/sweeper.js'

const DEVICE_KEY = 'device'

export type HubPlatform = Pick<Platform, 'timers' | 'random' | 'hasher'>

const EVICT_AFTER_MS = EVICT_AFTER_DAYS * 24 * 3_600_000

/** One space as the hub keeps it: registers without a view, and the sessions that carry it. */
interface HubSpace {
  readonly database: SpaceDatabase
  readonly peers: SpacePeers
  readonly authority: BlobAuthority
  readonly custody: ByteCustody
  readonly housekeeper: Housekeeper
}

/**
 * The hub is a replica: the engine's core over its own storage. What it adds is authority: who may open a
 * session and a space, and the word on bytes.
 */
export const openHubReplica =
  (platform: HubPlatform): OpenHubEngine =>
  async (services) => {
    const { storage } = services
    const kept = await storage.get(DEVICE_KEY)
    const device = kept
      ? parseDeviceId(new TextDecoder().decode(kept))
      : (bytesToHex(platform.random.bytes(REPLICA_ID_BYTES)) as DeviceId)
    if (!kept) {
      await storage.batch([{ type: 'put', key: DEVICE_KEY, value: new TextEncoder().encode(device) }], {
        sync: true,
      })
    }
    const replica = new HubReplica(services, platform, device)
    await replica.start()
    return replica
  }

class HubReplica implements HubEngine {
  readonly #services: HubServices
  readonly #platform: HubPlatform
  readonly #device: DeviceId
  readonly #spaces = new Map<SpaceName, Promise<HubSpace>>()
  readonly #sessions = new Set<Session>()
  readonly #silent: SilentMembers
  readonly #sweeper: Sweeper | undefined
  #counting: Promise<HubCounts> | undefined
  #closing = false

  constructor(services: HubServices, platform: HubPlatform, device: DeviceId) {
    this.#services = services
    this.#platform = platform
    this.#device = device
    const { storage, blobs, clock, logger, evictAfterMs = EVICT_AFTER_MS, sweep } = services
    const { timers } = platform
    this.#silent = new SilentMembers({
      storage,
      clock,
      timers,
      evictAfterMs,
      logger,
      present: (space) => this.#present(space),
      evict: async (space, member) => (await this.#open(space)).database.gc.evict(member),
    })
    if (!sweep) return
    const { uptime, everyMs } = sweep
    const claim = new StoreClaim({ ...platform, storage, blobs, uptime, logger })
    this.#sweeper = new Sweeper({
      storage,
      logger,
      uptime,
      timers,
      everyMs,
      claim,
      spaces: () => spacesIn(storage),
      sweep: async (space, signal) =>
        sweep.run((await this.#open(space)).database, { soleSinceMs: () => claim.soleSinceMs(), signal }),
    })
  }

  async start(): Promise<void> {
    await this.#silent.start()
    await this.#sweeper?.start()
  }

  /** One count for all who ask meanwhile: it looks at each tombstone. */
  counts(): Promise<HubCounts> {
    this.#counting ??= this.#count().finally(() => {
      this.#counting = undefined
    })
    return this.#counting
  }

  async #count(): Promise<HubCounts> {
    let tombstones = 0
    let members = 0
    let repaired = 0
    for (const opening of this.#spaces.values()) {
      const { database } = await opening
      const { gc } = database
      repaired += database.repaired
      tombstones += await gc.countDead()
      members += gc.members.devices.filter((device) => device !== this.#device).length
    }
    const { condemnedBytes = 0, deletedBlobs = 0, deletedBytes = 0, otherHubs = 0 } = this.#sweeper ?? {}
    return {
      sessions: this.sessions,
      spaces: this.#spaces.size,
      members,
      tombstones,
      repaired,
      condemnedBytes,
      deletedBlobs,
      deletedBytes,
      otherHubs,
    }
  }

  get sessions(): number {
    return this.#sessions.size
  }

  accept(connection: Connection, { logger }: { readonly logger: Logger }): void {
    if (this.#closing) {
      connection.close('stopping')
      return
    }
    const session = new Session(connection, this.#host(logger))
    this.#sessions.add(session)
    void session.done.then((error) => {
      this.#sessions.delete(session)
      if (error) logger.info('session-ended', { error })
      else logger.info('session-ended')
    })
  }

  async close({ signal }: { readonly signal: AbortSignal }): Promise<void> {
    this.#closing = true
    const ended = Promise.all([...this.#sessions].map((session) => session.done))
    for (const session of this.#sessions) session.close('stopping')
    const cut = new Promise<void>((resolve) => {
      if (signal.aborted) resolve()
      else signal.addEventListener('abort', () => resolve(), { once: true })
    })
    await Promise.race([ended, cut])
    await this.#silent.close()
    await this.#sweeper?.close()
    for (const opening of this.#spaces.values()) {
      const space = await opening.catch(() => undefined)
      await space?.custody.close()
      await space?.housekeeper.close()
      await space?.database.idle()
    }
  }

  #host(logger: Logger): SessionHost {
    let subject: Subject | undefined
    return {
      hello: makeHello({ device: this.#device, role: 'hub', agent: 'tidemark-hub' }),
      timers: this.#platform.timers,
      admit: async (hello) => {
        subject = this.#services.authenticate(hello.token)
        logger.info('session-admitted', {
          subject: subject.subject,
          device: hello.device,
          agent: hello.agent,
        })
      },
      peerOpened: async (session, space) => {
        const isOwn = space === CLAIMS_SPACE
        if (isOwn || !subject?.may(space, 'read')) {
          logger.info('space-refused', { space })
          throw new AccessError(
            'FORBIDDEN',
            isOwn ? `${space} is the hub's own` : `you may not read ${space}`,
          )
        }
        const { peers, authority, custody } = await this.#open(space)
        logger.info('space-opened', { space })
        const mayWrite = subject.may(space, 'write')
        const { device } = session.peer
        const who = { device, subject: subject.subject }
        // Nobody waits for one that only reads.
        if (!mayWrite) await this.#silent.forget(space, who)
        const blobs = mayWrite ? authority : readOnly(authority, space)
        const { refuse } = this.#services
        return peers.endpoint(session, {
          mayWrite,
          blobs,
          custody,
          admits: true,
          // Not before: each new id would be another row, of devices that nobody waits for.
          onAdmitted: () => this.#silent.seen(space, who),
          ...(refuse ? { refuse: told(refuse, logger) } : {}),
        })
      },
    }
  }

  /** Of a space that is not open nobody has a session. */
  async #present(
    space: SpaceName,
  ): Promise<{ readonly connected: readonly DeviceId[]; readonly members: readonly DeviceId[] }> {
    const open = await this.#spaces.get(space)
    if (!open) return { connected: [], members: [] }
    const { peers, database } = open
    return {
      connected: [...peers.all].map(({ peer }) => peer.device),
      members: database.gc.members.devices.filter((device) => device !== this.#device),
    }
  }

  #open(space: SpaceName): Promise<HubSpace> {
    let opening = this.#spaces.get(space)
    if (!opening) {
      opening = this.#openSpace(space)
      opening.catch(() => this.#spaces.delete(space))
      this.#spaces.set(space, opening)
    }
    return opening
  }

  async #openSpace(space: SpaceName): Promise<HubSpace> {
    const { storage, clock, logger, blobAuthority, blobAudit, collectEveryMs } = this.#services
    const { random, hasher, timers } = this.#platform
    const database = await SpaceDatabase.open({
      storage,
      space,
      device: this.#device,
      mode: 'relay',
      clock,
      random,
      sha256: (bytes) => hasher.sha256(bytes),
    })
    const cache = new ChunkCache()
    const peers = new SpacePeers({ database, cache, hasher, isHub: true, onChange: () => undefined })
    const housekeeper = new Housekeeper({ database, peers, timers, everyMs: collectEveryMs })
    const audit = blobAudit(space)
    const custody = new ByteCustody({ space, database, peers, storage, timers, audit, logger })
    return { database, peers, authority: keepingInline(blobAuthority(space), cache), custody, housekeeper }
  }
}

/** Every space that was ever opened: below `s/<space>/` are its rows. */
async function* spacesIn(storage: KeyValueStore): AsyncGenerator<SpaceName> {
  for (let gte = 's/'; ; ) {
    let space: string | undefined
    for await (const page of storage.range({ gte, lt: 's0' })) {
      space = page[0]?.[0].split('/', 2)[1]
      if (space !== undefined) break
    }
    if (space === undefined) return
    yield parseSpaceName(space)
    // Behind all that begins with `s/<space>/`.
    gte = `s/${space}0`
  }
}

/** Each refusal stands in the log. */
function told(refuse: Refuse, logger: Logger): Refuse {
  return async (asked) => {
    const reason = await refuse(asked)
    const { space, write } = asked
    if (reason) logger.info('entry-refused', { space, node: write.id, code: reason.code })
    return reason
  }
}

/** Small chunks that come by message are kept a while: they ride along to the other devices. */
function keepingInline(authority: BlobAuthority, cache: ChunkCache): BlobAuthority {
  return {
    need: (chunks, signal) => authority.need(chunks, signal),
    grantPuts: (blobs, signal) => authority.grantPuts(blobs, signal),
    stored: (blobs, signal) => authority.stored(blobs, signal),
    locate: (chunks, options) => authority.locate(chunks, options),
    putInline: async (chunks, signal) => {
      await authority.putInline(chunks, signal)
      for (const { id, bytes } of chunks) cache.put(id, bytes)
    },
  }
}

function readOnly(authority: BlobAuthority, space: SpaceName): BlobAuthority {
  const refuse = async (): Promise<never> => {
    throw new AccessError('FORBIDDEN', `you may not write to ${space}`)
  }
  return {
    need: (chunks, signal) => authority.need(chunks, signal),
    locate: (chunks, options) => authority.locate(chunks, options),
    grantPuts: refuse,
    stored: refuse,
    putInline: refuse,
  }
}
