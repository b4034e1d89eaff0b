import { decodeMessage, encodeMessage, type Message } from '@tidemark/protocol'
import type { Refuse } from '../../database/space-refusals.js'
import { nodeHasher } from '../../node/node-hasher.js'
import { SerialQueue } from '../../session/serial-queue.js'
import type { ExchangeMessage } from '../../session/session.js'
import { ChunkCache } from '../../transfer/chunk-cache.js'
import { type Endpoint, type PlantedBug, plantedExchange } from './planted-bugs.js'
import type { Site } from './site.js'

/** Frames under way in one direction before the sender has to wait. */
const WINDOW_FRAMES = 3

export interface LinkHost {
  /** Frames travel as bytes. */
  readonly encoded: boolean
  readonly bug: PlantedBug | undefined
  /** Entries in one frame. */
  readonly entriesPerFrameMax: number
  /** The first site makes members of the others. */
  readonly hasMembers: boolean
  /** What the first site does not take. */
  readonly refuse: Refuse | undefined
  /** A message goes out. */
  sent(from: Site, message: ExchangeMessage): void
  /** An end of the link gave up because of an error of the other. */
  failed(link: Link, at: Site, error: Error): void
}

interface End {
  readonly site: Site
  readonly exchange: Endpoint
  readonly inbox: SerialQueue
  /** Frames on their way to this end. */
  readonly queue: (Uint8Array | ExchangeMessage)[]
  waiting: (() => void)[]
}

type Direction = 0 | 1

/** What a link carries in one session: a pair of real exchanges, and frames between them in order. */
export class Link {
  readonly sites: readonly [Site, Site]
  /** Rarely chosen by the scheduler. */
  isSlow = false
  readonly #host: LinkHost
  #ends: readonly [End, End] | undefined
  /** The last frames that each end got in this session. */
  #delivered: [ExchangeMessage[], ExchangeMessage[]] = [[], []]

  constructor(sites: readonly [Site, Site], host: LinkHost) {
    this.sites = sites
    this.#host = host
  }

  get isUp(): boolean {
    return this.#ends !== undefined
  }

  /** Both sites run. */
  get isPossible(): boolean {
    return this.sites.every((site) => site.isOpen)
  }

  connect(): void {
    if (this.#ends || !this.isPossible) return
    this.#delivered = [[], []]
    const ends: readonly [End, End] = [this.#end(0, () => ends), this.#end(1, () => ends)]
    this.#ends = ends
    for (const { site, exchange } of ends) {
      exchange.start().catch((error: Error) => this.#fail(site, error, ends))
    }
  }

  /** The exchange of this site tells its members and acknowledgements, as far as the window allows. */
  tellMembers(site: Site): void {
    const ends = this.#ends
    if (!ends) return
    const { exchange } = ends[this.sites.indexOf(site) as Direction]
    exchange.tellMembers().catch((error: Error) => this.#fail(site, error, ends))
  }

  /** Everything that is on its way is lost. */
  cut(): void {
    const ends = this.#ends
    if (!ends) return
    this.#ends = undefined
    for (const end of ends) {
      end.queue.length = 0
      end.exchange.closed()
    }
    for (const end of ends) release(end)
  }

  /** Directions with something to deliver. */
  pending(): Direction[] {
    if (!this.#ends) return []
    return ([0, 1] as const).filter((to) => this.#ends![to].queue.length > 0)
  }

  /** The next frame to this end arrives. */
  deliver(to: Direction): ExchangeMessage {
    const end = this.#ends![to]
    const frame = end.queue.shift()!
    const message = frame instanceof Uint8Array ? (decodeMessage(frame) as ExchangeMessage) : frame
    // What came before an OPEN is no suffix of what comes after it.
    if (message.type === 'open') this.#delivered[to] = []
    this.#delivered[to].push(message)
    this.#push(end, message)
    if (end.queue.length < WINDOW_FRAMES) release(end)
    return message
  }

  /** The last frames arrive once more, as after an acknowledgement that was lost. @returns how many. */
  repeat(to: Direction, count: number): number {
    const end = this.#ends?.[to]
    if (!end) return 0
    const again = this.#delivered[to]
      .slice(-count)
      .filter(({ type }) => type === 'entries' || type === 'sync-point')
    for (const message of again) this.#push(end, message)
    return again.length
  }

  #push(end: End, message: ExchangeMessage): void {
    const ends = this.#ends
    end.inbox.push(async () => {
      if (this.#ends === ends) await end.exchange.receive(message)
    })
  }

  #end(side: Direction, ends: () => readonly [End, End]): End {
    const { bug, encoded, entriesPerFrameMax, hasMembers, refuse } = this.#host
    const site = this.sites[side]
    const peer = this.sites[side === 0 ? 1 : 0]
    const fail = (error: Error): void => this.#fail(site, error, ends())
    const exchange = plantedExchange(bug, {
      database: site.database,
      channel: 1,
      peer: peer.device,
      isHub: site.index === 0,
      ...(refuse && site.index === 0 ? { refuse } : {}),
      admits: site.index === 0 && hasMembers,
      isPeerHub: peer.index === 0,
      mayWrite: true,
      cache: NO_CHUNKS,
      hasher: nodeHasher,
      entriesPerFrameMax,
      onChange: () => undefined,
      fail,
      send: async (message: Message) => {
        if (this.#ends !== ends()) return
        const exchanged = message as ExchangeMessage
        this.#host.sent(site, exchanged)
        const to = ends()[side === 0 ? 1 : 0]
        to.queue.push(encoded ? encodeMessage(message) : exchanged)
        if (to.queue.length >= WINDOW_FRAMES) await new Promise<void>((resolve) => to.waiting.push(resolve))
      },
    })
    return { site, exchange, inbox: new SerialQueue(fail), queue: [], waiting: [] }
  }

  #fail(site: Site, error: Error, ends: readonly [End, End]): void {
    // The zombie of a session that was cut may fail as it likes: its process is gone.
    if (this.#ends !== ends) return
    this.cut()
    this.#host.failed(this, site, error)
  }
}

const NO_CHUNKS = new ChunkCache(0)

function release(end: End): void {
  const { waiting } = end
  end.waiting = []
  for (const resume of waiting) resume()
}
