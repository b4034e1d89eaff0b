import { createServer, type Server } from 'node:http'
import { type AddressInfo, isIPv6 } from 'node:net'
import { join } from 'node:path'
import type { Clock, Hasher, KeyValueStore, PackFormat, Refuse, Timers } from '@tidemark/engine'
import { makeDirectories } from '@tidemark/engine/node'
import type { BlobId, BlobStore, Listener, SpaceName } from '@tidemark/protocol'
import { TokenAuthenticator } from './auth/token.js'
import { type HubConfig, type HubConfigOptions, resolveHubConfig } from './config.js'
import { entryPolicy, firstOf } from './entry-policy.js'
import { ConfigError } from './errors.js'
import { BlobIndex } from './grants/blob-index.js'
import { HubBlobs } from './grants/hub-blobs.js'
import { Origins } from './http/origins.js'
import { httpRoutes } from './http/routes.js'
import type { HubEngine, OpenHubEngine } from './hub-engine.js'
import { foreignStore, type HubStore, localStore } from './hub-store.js'
import type { Logger } from './logger.js'
import { CLAIMS_SPACE } from './sweep/store-claim.js'
import { Uptime } from './uptime.js'

/** Collaborators of a hub. `createHub` supplies the usual ones. */
export interface HubParts {
  /** Opens the database at a path. @throws {DatabaseError} LOCKED: another hub runs there. */
  readonly openStorage: (path: string) => Promise<KeyValueStore>
  readonly openEngine: OpenHubEngine
  /** Accepts WebSockets at `path`; those of a page only where its origin is allowed. */
  readonly listen: (options: {
    readonly server: Server
    readonly path: string
    allowsOrigin(origin: string): boolean
  }) => Listener
  /**
   * A store with grants that devices reach by themselves; whoever gives it opens it, and closes it after the
   * hub. @default a directory below `dataDirectory`, through the hub
   */
  readonly blobs?: BlobStore
  /**
   * What this hub does not take besides what the options say. Asked for each write that would change what the hub
   * holds, and again when it is sent again. @default it takes everything
   */
  readonly refuse?: Refuse
  readonly packs: Pick<PackFormat, 'verify' | 'build' | 'plain'>
  readonly hasher: Hasher
  readonly clock: Clock
  /** How long the hub runs: what is deleted is deleted by it, not by the clock. */
  readonly timers: Pick<Timers, 'monotonicMs'>
  readonly logger: Logger
}

export interface Hub extends AsyncDisposable {
  /** `http://host:port`; sessions are at `/sync` below it. */
  readonly url: string
  readonly port: number
  /**
   * The store says, by a notification, that these blobs were put. Each that the hub does not know is read, verified
   * and indexed: a device that put it and was gone before it said so need not send it again. Nothing waits for that,
   * and what is said twice, late or falsely does no harm. @throws {StoreError}
   */
  blobsCreated(blobs: readonly { readonly space: SpaceName; readonly id: BlobId }[]): Promise<void>
  /**
   * Graceful stop: no new connections, sessions and requests get `drainTimeoutMs`, then the database is
   * closed. Idempotent. Whatever was acknowledged is durable, also when the process is killed instead.
   */
  close(): Promise<void>
}

const SYNC_PATH = '/sync'
const DAY_MS = 24 * 3_600_000
const LOGGED_ORIGIN_CHARS = 200

/**
 * Starts a hub. It listens when the promise resolves.
 * @throws {ConfigError}, {DatabaseError} the directory is in use, {StoreError}, and what the system says of
 *   the address (EADDRINUSE, EACCES); then nothing is left open.
 */
export async function startHub(options: HubConfigOptions, parts: HubParts): Promise<Hub> {
  const config = await resolveHubConfig(options)
  const { clock, logger } = parts
  // Everybody's files are below it: no other user of the machine may look.
  makeDataDirectory(config.dataDirectory)
  // The database first: its lock keeps a second hub from sweeping the first one's uploads.
  const storage = await parts.openStorage(join(config.dataDirectory, 'database'))
  let engine: HubEngine | undefined
  let listener: Listener | undefined
  let stopping: string | undefined
  let blobsCreated: Hub['blobsCreated'] = async () => undefined
  const server = createServer({ requestTimeout: config.requestTimeoutMs })
  server.maxConnections = config.connectionsMax
  try {
    const store: HubStore = parts.blobs
      ? foreignStore(parts.blobs)
      : localStore({
          directory: join(config.dataDirectory, 'store'),
          clock,
          onStored: (space, id, bytes) => hubBlobs.uploaded(space, id, bytes),
          onError: (error) => logger.error('blob-request-failed', { error }),
        })
    const { blobs } = store
    const uptime = await Uptime.load(storage, parts.timers)
    const hubBlobs = new HubBlobs({
      blobs,
      index: new BlobIndex(storage, uptime),
      packs: parts.packs,
      hasher: parts.hasher,
      logger,
      rebuildAtStart: config.rebuildIndex,
    })
    blobsCreated = async (created) => {
      for (const { space, id } of created) {
        if (space !== CLAIMS_SPACE) await hubBlobs.created(space, [id])
      }
    }
    await store.open()
    const refuse = firstOf(entryPolicy(config), parts.refuse)
    const authenticator = new TokenAuthenticator(config.tokens, { anonymous: config.anonymous })
    engine = await parts.openEngine({
      storage,
      blobs,
      clock,
      logger,
      authenticate: (token) => authenticator.authenticate(token),
      blobAuthority: (space) => hubBlobs.authority(space),
      blobAudit: (space) => hubBlobs.audit(space),
      evictAfterMs: config.evictAfterDays * DAY_MS,
      collectEveryMs: config.collectEveryMs,
      ...(refuse ? { refuse } : {}),
      sweep: {
        uptime,
        everyMs: config.sweepEveryMs,
        run: (database, when) =>
          hubBlobs.sweep(database, { uptime, keepMs: config.keepUnusedDays * DAY_MS, ...when }),
      },
    })
    const running = engine
    const origins = new Origins(config.origins)
    server.on(
      'request',
      httpRoutes({
        handleBlobRequest: (request, response) => store.handleBlobRequest(request, response),
        origins,
        notReady: () => stopping,
        counts: () => running.counts(),
        logger,
      }),
    )
    listener = parts.listen({
      server,
      path: SYNC_PATH,
      allowsOrigin: (origin) => {
        const isAllowed = origins.allows(origin)
        if (!isAllowed) logger.warn('origin-refused', { origin: origin.slice(0, LOGGED_ORIGIN_CHARS) })
        return isAllowed
      },
    })
    acceptSessions(listener, engine, logger)
    await listenOn(server, config)
    // One that nobody listens to would end the process: a connection could not be accepted.
    server.on('error', (error) => logger.error('server-failed', { error }))
  } catch (error) {
    await stopAll({ listener, engine, server, storage, drainTimeoutMs: 0, logger })
    throw error
  }
  const { port } = server.address() as AddressInfo
  const url = `http://${isIPv6(config.host) ? `[${config.host}]` : config.host}:${port}`
  logger.info('hub-listening', { url, dataDirectory: config.dataDirectory, anonymous: config.anonymous })
  let closed: Promise<void> | undefined
  const close = (): Promise<void> => {
    stopping = 'the hub is stopping'
    closed ??= stopAll({ listener, engine, server, storage, drainTimeoutMs: config.drainTimeoutMs, logger })
    return closed
  }
  return { url, port, blobsCreated, close, [Symbol.asyncDispose]: close }
}

/** @throws {ConfigError} INVALID_CONFIG: it is not there and cannot be made. */
function makeDataDirectory(path: string): void {
  try {
    makeDirectories(path, 0o700)
  } catch (error) {
    throw new ConfigError('INVALID_CONFIG', 'dataDirectory', (error as Error).message, { cause: error })
  }
}

function acceptSessions(listener: Listener, engine: HubEngine, logger: Logger): void {
  let sessions = 0
  listener.onConnection((connection) => {
    const session = logger.child({ session: `s${++sessions}`, peer: connection.label })
    session.info('session-accepted')
    try {
      engine.accept(connection, { logger: session })
    } catch (error) {
      session.error('session-failed', { error })
      connection.close('internal error')
    }
  })
}

function listenOn(server: Server, { host, port }: HubConfig): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, () => {
      server.off('error', reject)
      resolve()
    })
  })
}

interface Running {
  readonly listener: Listener | undefined
  readonly engine: HubEngine | undefined
  readonly server: Server
  readonly storage: KeyValueStore
  readonly drainTimeoutMs: number
  readonly logger: Logger
}

/** Ends in the order of dependence: connections, sessions, requests, database. Every step runs. */
async function stopAll(running: Running): Promise<void> {
  const { listener, engine, server, storage, drainTimeoutMs, logger } = running
  const deadline = AbortSignal.timeout(drainTimeoutMs)
  const failures: unknown[] = []
  const step = async (work: () => Promise<unknown> | undefined): Promise<void> => {
    try {
      await work()
    } catch (error) {
      failures.push(error)
    }
  }
  logger.info('hub-stopping', { sessions: engine?.sessions ?? 0 })
  const idle = closeServer(server)
  await step(() => engine?.close({ signal: deadline }))
  await step(() => listener?.close())
  server.closeIdleConnections()
  const cut = () => server.closeAllConnections()
  if (deadline.aborted) cut()
  else deadline.addEventListener('abort', cut, { once: true })
  await step(() => idle)
  deadline.removeEventListener('abort', cut)
  await step(() => storage.close())
  for (const error of failures) logger.error('hub-stop-failed', { error })
  logger.info('hub-stopped')
}

/** Stops listening at once; resolves when the last connection is gone. */
function closeServer(server: Server): Promise<void> {
  if (!server.listening) return Promise.resolve()
  return new Promise((resolve) => server.close(() => resolve()))
}
