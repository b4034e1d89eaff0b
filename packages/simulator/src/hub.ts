import { MemoryKeyValueStore, PackFormat, type Timers } from '@tidemark/engine'
import {
  AccessError,
  type BlobClient,
  type BlobStore,
  type Connection,
  type ConnectionHandlers,
  decodeMessage,
  LEASE_MS,
  parseSpaceName,
  type Transport,
  TransportError,
} from '@tidemark/protocol'
import {
  createMemoryConnectionPair,
  createMemoryTransportPair,
  MemoryBlobStore,
  type MemoryTransportPair,
} from '@tidemark/protocol/memory'
import {
  BlobIndex,
  HubBlobs,
  type HubEngine,
  type HubSweep,
  type Logger,
  openHubReplica,
  type Subject,
  silentLogger,
  Uptime,
} from '@tidemark/server-reference'
import type { Adapters } from './adapters.js'
import { Babbler } from './babbler.js'
import { type StoreTrouble, troubledBlobClient, troubledBlobStore } from './blob-link.js'
import { compressor } from './compressor.js'
import { Contradictor, Witness } from './contradictor.js'
import { Flood } from './flood.js'
import { forge } from './forger.js'
import { hasher } from './hasher.js'
import { HubMoods } from './hub-moods.js'
import { type Death, isNoSpace, Life, mortalStore, Trap, Volume } from './life.js'
import { mortalBlobStore } from './mortal-blobs.js'
import type { PlantedBug } from './planted-bug.js'
import { SimRandom } from './random.js'
import { Heard, Stranger, type Visitor } from './stranger.js'
import { type End, type Lie, Tampering } from './tampering.js'
import type { VirtualTime } from './virtual-time.js'

/** Time that a frame takes, at most, milliseconds. */
const LATENCY_MS_MAX = 40

/** Silence after which nobody waits for a device any more: a short one, for a line says something all the time. */
const EVICT_AFTER_MS = 60 * 60_000

/** Where a hub sweeps, a day is a minute to it: bytes that nobody needs go within a run. */
const SWEEP_SPEED = 24 * 60
const SWEEP_EVERY_MS = 30_000
const KEEP_MS = LEASE_MS

/** They share a space, and each is sent away for what it says first. */
const STRANGERS_AT_ONCE = 4
/** Each says one thing. */
const BABBLERS_AT_ONCE = 12

/** Pings and their answers: what a silent line has. */
const HEARTBEATS: ReadonlySet<string> = new Set(['ping', 'pong'])

/** Its name, among those of devices. */
export const HUB = 'hub'

/** What a device may do. */
export type Access = 'write' | 'read' | 'nothing'

/** One device's way to the hub. */
class Line {
  pair: MemoryTransportPair | undefined
  isAway = false
  /** Added to the time that each frame takes, milliseconds. */
  slowMs = 0
  readonly tampering = new Tampering()
  /** What the hub lets the device do. */
  access: Access = 'write'

  constructor(readonly random: SimRandom) {}
}

/** A hub over a database that a crash throws back, and a store that keeps what it has. */
export class SimHub {
  readonly blobs: BlobStore
  storeTrouble: StoreTrouble = 'none'
  readonly moods: HubMoods
  /** Frames that were sent, heartbeats apart. */
  messages = 0
  /** What all its lives have swept. */
  deletedBlobs = 0
  rewrittenBlobs = 0
  readonly #heard = new Heard()
  readonly #visitors: Visitor[] = []
  #strangers = 0
  /** Of those at the blob store. */
  readonly #complaints: string[] = []
  readonly #lines = new Map<string, Line>()
  readonly #random: SimRandom
  readonly #client: BlobClient
  #store = new MemoryKeyValueStore({ crashable: true })
  #backup: { readonly store: MemoryKeyValueStore; readonly atMs: number } | undefined
  #engine: HubEngine | undefined
  #life: Life | undefined
  readonly database = { trap: new Trap(), volume: new Volume() }
  /** Waits at its calls to its blob store. */
  readonly storeTrap = new Trap()
  #isPowerless = false

  /** @param note Gets lines for the trace. @param sweeps Deletes what nobody needs. */
  constructor(
    private readonly time: VirtualTime,
    private readonly seed: number,
    private readonly note: (line: string) => void,
    private readonly adapters: Adapters,
    onRefused: ConstructorParameters<typeof HubMoods>[1],
    private readonly onEvicted: () => void,
    private readonly planted?: PlantedBug | undefined,
    private readonly sweeps = false,
  ) {
    this.#random = SimRandom.of(seed, 'hub')
    this.moods = new HubMoods(SimRandom.of(seed, 'moods'), onRefused)
    const memory = new MemoryBlobStore({ sha256: hasher.sha256, now: () => time.nowMs() })
    const { store, client } = adapters.stores.get(HUB) ?? { store: memory, client: memory.client }
    this.blobs = store
    this.#client = client
  }

  /** Who is waited for no longer is part of the trace. */
  get #logger(): Logger {
    return {
      ...silentLogger,
      info: (event, facts) => {
        if (event !== 'member-evicted') return
        this.note(`the hub waits no longer for ${facts?.device}`)
        this.onEvicted()
      },
    }
  }

  get blobClient(): BlobClient {
    return troubledBlobClient(this.#client, () => this.storeTrouble)
  }

  /** For looking only. */
  get storage(): MemoryKeyValueStore {
    return this.#store
  }

  /** It died by itself, and nobody has noticed yet. */
  get isZombie(): boolean {
    return this.#life?.isAlive === false
  }

  async start(): Promise<void> {
    const life = new Life()
    this.#life = life
    try {
      await Promise.race([this.#boot(life), life.ended])
    } catch (error) {
      if (!isNoSpace(error)) throw error
      life.end()
      this.#life = undefined
    }
  }

  /** It could not start: there was no room for its database. */
  get isOut(): boolean {
    return this.#life === undefined
  }

  async #boot(life: Life): Promise<void> {
    const dyingAt = (call: string) => (death: Death) => {
      this.#isPowerless = death === 'rowless'
      this.#engine = undefined
      this.note(`the hub dies at a ${call}`)
      // Its lines break, but not within its own call.
      this.time.after(0, () => this.#cutAll())
    }
    const storage = mortalStore(this.#store, life, this.database, dyingAt('write to its database'))
    const onDeath = dyingAt('call to its blob store')
    const reached = troubledBlobStore(this.blobs, () => this.storeTrouble)
    const store = mortalBlobStore(reached, { life, trap: this.storeTrap, onDeath })
    const uptime = await Uptime.load(storage, { monotonicMs: () => this.time.monotonicMs() * SWEEP_SPEED })
    const blobs = new HubBlobs({
      blobs: store,
      index: new BlobIndex(storage, uptime),
      packs: new PackFormat(hasher, compressor),
      hasher,
      logger: silentLogger,
      rebuildAtStart: false,
    })
    const timers: Timers = {
      monotonicMs: () => this.time.monotonicMs(),
      after: (ms, fn) => this.time.after(ms, () => life.isAlive && fn()),
    }
    const open = openHubReplica({ timers, random: { bytes: this.#random.bytes }, hasher })
    const engine = await open({
      storage,
      blobs: store,
      clock: this.time,
      logger: this.#logger,
      evictAfterMs: EVICT_AFTER_MS,
      authenticate: (token) => this.#authenticate(token),
      blobAuthority: (space) => {
        const authority = blobs.authority(space)
        return this.planted?.authority?.(authority) ?? authority
      },
      blobAudit: (space) => blobs.audit(space),
      refuse: (write) => this.moods.refuse(write),
      ...(this.sweeps ? { sweep: this.#sweep(blobs, uptime) } : {}),
    })
    if (life.isAlive) this.#engine = engine
  }

  #sweep(blobs: HubBlobs, uptime: Uptime): HubSweep {
    return {
      uptime,
      everyMs: SWEEP_EVERY_MS,
      run: async (database, when) => {
        const result = await blobs.sweep(database, { uptime, keepMs: KEEP_MS, ...when })
        this.deletedBlobs += result?.deletedBlobs ?? 0
        this.rewrittenBlobs += result?.rewrittenBlobs ?? 0
        return result
      },
    }
  }

  /** The token of a device is its name; strangers have none. */
  #authenticate(token: string | undefined): Subject {
    const access = token === undefined ? 'write' : this.#line(token).access
    if (access === 'nothing') throw new AccessError('UNAUTHENTICATED', 'the token is not valid')
    return { subject: token ?? 'a stranger', may: (_, wanted) => wanted === 'read' || access === 'write' }
  }

  /** From now on the device may do this; what it was told before is over. */
  setAccess(device: string, access: Access): void {
    this.#line(device).access = access
    this.cut(device)
  }

  /** A device's way to this hub, whichever process it is. */
  transport(device: string, life: Life): Transport {
    const line = this.#line(device)
    const pair = createMemoryTransportPair({
      schedule: (task) => void this.time.after(line.slowMs + line.random.below(LATENCY_MS_MAX), task),
    })
    line.pair = pair
    const accept = (connection: Connection): void => {
      if (this.#engine)
        this.#engine.accept(this.#of(connection, this.#life!, line, 'hub'), { logger: silentLogger })
      else connection.close('no hub')
    }
    pair.listener.onConnection((connection) => {
      const { lines } = this.adapters
      if (lines) lines.carry(connection, accept)
      else accept(connection)
    })
    return {
      label: pair.transport.label,
      connect: async (options) => {
        if (line.isAway) throw new TransportError('no way to the hub')
        return this.#of(await pair.transport.connect(options), life, line, 'device')
      },
    }
  }

  /** Breaks the line of one device; it may dial again. */
  cut(device: string): void {
    this.#line(device).pair?.sever(new TransportError('cut'))
  }

  /** From now on the device has no way to the hub, or has one again. */
  setAway(device: string, isAway: boolean): void {
    this.#line(device).isAway = isAway
    if (isAway) this.cut(device)
  }

  /** Once, at the next chance, what comes out of this device's line is not what went in. */
  tamper(device: string, lie: Lie, random: SimRandom): void {
    this.#line(device).tampering.plan(lie, random)
  }

  /** What comes out of this device's line for a while is as a later minor version would say it. */
  extend(device: string, random: SimRandom): void {
    this.#line(device).tampering.extend(random)
  }

  /** Some dial whom nobody knows. */
  admitStranger(random: SimRandom): void {
    const space = parseSpaceName(`strange-${this.#strangers++}`)
    for (let left = STRANGERS_AT_ONCE; left > 0 && this.#engine; left--)
      this.#visitors.push(new Stranger(this.#strangeLine(random), space, this.#heard, random))
    for (let left = BABBLERS_AT_ONCE; left > 0 && this.#engine; left--)
      this.#visitors.push(new Babbler(this.#strangeLine(random), space, this.#heard, random))
  }

  /** One who contradicts themselves, one who hears it, and one who says too much at once. */
  admitContradictor(random: SimRandom): void {
    if (!this.#engine) return
    const space = parseSpaceName(`strange-${this.#strangers++}`)
    const contradictor = new Contradictor(this.#strangeLine(random), space, random)
    const witness = new Witness(this.#strangeLine(random), space, contradictor.tale, random)
    this.#visitors.push(contradictor, witness, new Flood(this.#strangeLine(random), random))
  }

  /** Somebody at the blob store who has no right to anything. An embedder's has its conformance suite. */
  async admitForger(random: SimRandom): Promise<void> {
    if (this.adapters.stores.has(HUB)) return
    const complain = (complaint: string): void => void this.#complaints.push(complaint)
    await forge(this.blobs, this.#client, this.time, random, complain)
  }

  /** Precondition: the hub runs. It ends with it. */
  #strangeLine(random: SimRandom): Connection {
    const schedule = (task: () => void): void => void this.time.after(random.below(LATENCY_MS_MAX), task)
    const { near, far } = createMemoryConnectionPair({ schedule })
    void this.#life!.ended.then(() => far.close('the process died'))
    this.#engine!.accept(far, { logger: silentLogger })
    return near
  }

  /** What audits brought back to this life of it. */
  async repaired(): Promise<number> {
    return (await this.#engine?.counts())?.repaired ?? 0
  }

  /** Those who went on talking to somebody who breaks the protocol, or who broke themselves by it. */
  get trusting(): readonly string[] {
    const lines = [...this.#lines].flatMap(([device, { tampering }]) =>
      tampering.complaint === undefined ? [] : [`${device}'s line: ${tampering.complaint}`],
    )
    return [...lines, ...this.#complaints, ...this.#visitors.flatMap(({ complaint }) => complaint ?? [])]
  }

  setSlow(device: string, ms: number): void {
    this.#line(device).slowMs = ms
  }

  /** All lines are fast, and the store answers. */
  heal(): void {
    for (const [device, line] of this.#lines) {
      Object.assign(line, { isAway: false, slowMs: 0 })
      line.tampering.cancel()
      if (line.access !== 'write') this.setAccess(device, 'write')
    }
    for (const visitor of this.#visitors) visitor.leave()
    this.storeTrouble = 'none'
    this.moods.percent = 0
    this.database.trap.clear()
    this.storeTrap.clear()
    this.database.volume.isFull = false
  }

  /** The device is gone: it dials no more. */
  async forget(device: string): Promise<void> {
    this.cut(device)
    const line = this.#line(device)
    await line.pair?.listener.close()
    line.pair = undefined
  }

  /** The process dies, and another one starts on what is durable. */
  async crash(random: SimRandom): Promise<void> {
    await this.#startOver(random.below(this.#store.unsyncedBatches + 1))
  }

  /** Another process starts where one died by itself. */
  async revive(): Promise<void> {
    const kept = this.#isPowerless ? 0 : this.#store.unsyncedBatches
    this.#isPowerless = false
    await this.#startOver(kept)
  }

  async #startOver(kept: number): Promise<void> {
    this.#engine = undefined
    this.#life?.end()
    this.#cutAll()
    this.#store = this.#store.crash(kept)
    const store = this.adapters.stores.get(HUB)
    if (store) await store.reopen()
    await this.start()
  }

  #cutAll(): void {
    for (const device of this.#lines.keys()) this.cut(device)
  }

  backUp(): void {
    this.#backup = { store: this.#store.backup(), atMs: this.time.monotonicMs() }
  }

  /** Another process starts on the database of the backup; the blobs are as they are. */
  async rollBack(random: SimRandom): Promise<boolean> {
    if (!this.#backup) return false
    // What it shows may be deleted by now, as the sweep says.
    const isOld = this.time.monotonicMs() - this.#backup.atMs > KEEP_MS / SWEEP_SPEED
    if (this.sweeps && isOld) return false
    await this.crash(random)
    this.#engine = undefined
    this.#life?.end()
    this.#cutAll()
    this.#store = this.#backup.store.backup()
    await this.start()
    return true
  }

  #line(device: string): Line {
    const known = this.#lines.get(device)
    if (known) return known
    const line = new Line(SimRandom.of(this.seed, `line ${device}`))
    this.#lines.set(device, line)
    return line
  }

  /** The connection of a process: it ends with it, also where frames are left that nobody took. */
  #of(connection: Connection, sender: Life, line: Line, end: End): Connection {
    void sender.ended.then(() => connection.close('the process died'))
    const { tampering } = line
    return new Proxy(connection, {
      get: (target, property) => {
        if (property === 'send')
          return (frame: Uint8Array): boolean => {
            if (!sender.isAlive) return true
            if (!isHeartbeat(frame)) this.messages++
            this.#heard.note(frame)
            return target.send(tampering.passed(frame, end))
          }
        if (property === 'open')
          return ({ frame, closed }: ConnectionHandlers): void =>
            target.open({
              frame,
              closed: (error) => {
                tampering.ended()
                closed(error)
              },
            })
        const value: unknown = Reflect.get(target, property)
        return typeof value === 'function' ? value.bind(target) : value
      },
    })
  }
}

/** The preamble of a connection is no message. */
function isHeartbeat(frame: Uint8Array): boolean {
  if (frame.length > 16) return false
  try {
    return HEARTBEATS.has(decodeMessage(frame).type)
  } catch {
    return false
  }
}
