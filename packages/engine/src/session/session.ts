import {
  AccessError,
  CHANNELS_MAX,
  type Connection,
  checkPreamble,
  decodeMessage,
  encodeMessage,
  encodePreamble,
  errorToFault,
  type Fault,
  FRAME_BYTES_MAX,
  faultToError,
  HANDSHAKE_TIMEOUT_MS,
  HEARTBEAT_INTERVAL_MS,
  HEARTBEAT_TIMEOUT_MS,
  type Hello,
  type Message,
  negotiate,
  ProtocolError,
  type SpaceName,
  SyncError,
  TransportError,
} from '@tidemark/protocol'
import type { Timers } from '../ports/clock.js'
import type { BlobAuthority } from '../transfer/blob-authority.js'
import { answerBlobRequest, type BlobRequest, isBlobRequest } from './blob-requests.js'
import { peerAuthority } from './peer-authority.js'
import { PendingRequests } from './requests.js'
import { SerialQueue } from './serial-queue.js'
import { withResolvers } from './with-resolvers.js'

/** Undelivered bytes after which the connection is paused. */
const INBOX_BYTES_MAX = 2 * FRAME_BYTES_MAX
/** What a message costs here beside its bytes, about: the shortest one is a few bytes on the wire. */
const MESSAGE_BYTES = 1_024

/** The messages of one space's exchange. */
export type ExchangeMessage = Extract<
  Message,
  {
    type:
      | 'open'
      | 'rewind'
      | 'entries'
      | 'sync-point'
      | 'members'
      | 'acks'
      | 'digest'
      | 'reject'
      | 'want'
      | 'hint'
  }
>

/** One space within one session. */
export interface SpaceEndpoint {
  /** Says OPEN; called once, when the channel is registered. */
  start(): Promise<void>
  /** Handles the peer's messages, one at a time, in order. A throw ends the session. */
  receive(message: ExchangeMessage): Promise<void>
  /** The hub's word on bytes, on the side that is a hub for this space. */
  readonly blobs?: BlobAuthority | undefined
  /** The session ended, or this space within it. @param error The peer ended this space, and why. */
  closed(error?: SyncError): void
}

export interface PeerInfo {
  readonly device: Hello['device']
  readonly role: Hello['role']
  readonly label: string
}

/** What a session asks of its owner. */
export interface SessionHost {
  readonly hello: Hello
  /** Decides whether this peer may have a session. @throws {AccessError} */
  admit(hello: Hello): Promise<void>
  /** The peer opened a space that this side has not opened. @throws {AccessError} that space alone is refused. */
  peerOpened(session: Session, space: SpaceName): Promise<(channel: number) => SpaceEndpoint>
  /** The peer has refused, or closed, a space; the session goes on. */
  spaceEnded?(session: Session, space: SpaceName): void
  readonly timers: Timers
}

type State =
  | { readonly name: 'handshaking'; readonly preambleSeen: boolean }
  | { readonly name: 'open'; readonly peer: PeerInfo }
  | { readonly name: 'closed'; readonly error: Error | undefined }

interface Channel {
  readonly space: SpaceName
  readonly number: number
  readonly endpoint: SpaceEndpoint
  readonly inbox: SerialQueue
}

/**
 * One authenticated connection between two peers, from hello to close. Symmetric: who dialled does not
 * matter after the handshake. Any error ends it with a fault to the peer; nothing of the offending
 * frame is applied.
 */
export class Session {
  readonly #connection: Connection
  readonly #host: SessionHost
  readonly #requests = new PendingRequests()
  readonly #channels = new Map<SpaceName, Channel>()
  /** The peer's channel numbers. */
  readonly #peerChannels = new Map<number, Channel>()
  /** Numbers of the peer's whose space ended: what was on its way is dropped. */
  readonly #endedNumbers = new Set<number>()
  /** Own numbers that the peer listens to no more. */
  readonly #freeNumbers: number[] = []
  #lastNumber = 0
  readonly #opened = withResolvers<PeerInfo>()
  readonly #closed = withResolvers<Error | undefined>()
  readonly #abort = new AbortController()
  readonly #control: SerialQueue
  #state: State = { name: 'handshaking', preambleSeen: false }
  #inboxBytes = 0
  #isPongWaiting = false
  #lastFrameMs: number
  #cancelTimer: () => void = () => undefined

  constructor(connection: Connection, host: SessionHost) {
    this.#connection = connection
    this.#host = host
    this.#lastFrameMs = host.timers.monotonicMs()
    this.#control = new SerialQueue((error) => this.#fail(error))
    this.#opened.promise.catch(() => undefined)
    connection.open({
      frame: (bytes) => this.#receive(bytes),
      closed: (error) => this.#end(error ?? new TransportError('the peer closed the connection')),
    })
    connection.send(encodePreamble())
    this.#send(host.hello)
    this.#cancelTimer = host.timers.after(HANDSHAKE_TIMEOUT_MS, () => {
      this.#fail(new TransportError('no handshake in time'))
    })
  }

  /** Resolves after the handshake. @throws the error that ended it. */
  get ready(): Promise<PeerInfo> {
    return this.#opened.promise
  }

  /** Resolves when the session is over, with the error that ended it, or `undefined` after `close()`. */
  get done(): Promise<Error | undefined> {
    return this.#closed.promise
  }

  /** @throws {ProtocolError} before the handshake. */
  get peer(): PeerInfo {
    if (this.#state.name !== 'open') throw new ProtocolError('UNEXPECTED_MESSAGE', 'the session is not open')
    return this.#state.peer
  }

  /** Starts a space from this side. The number is what this side's messages of that space carry. */
  addSpace(space: SpaceName, makeEndpoint: (channel: number) => SpaceEndpoint): void {
    if (this.#state.name === 'closed' || this.#channels.has(space)) return
    const number = this.#freeNumbers.pop() ?? ++this.#lastNumber
    if (number > CHANNELS_MAX) {
      // Those of ended spaces are free when the peer says so, not before; a new session has all.
      this.#fail(new TransportError('the channel numbers of this session are used up'))
      return
    }
    const fail = (error: Error): void => {
      // Of a space that has ended nothing matters any more.
      if (this.#isOpen(channel)) this.#fail(error)
    }
    const channel: Channel = {
      space,
      number,
      endpoint: makeEndpoint(number),
      inbox: new SerialQueue(fail),
    }
    this.#channels.set(space, channel)
    channel.endpoint.start().catch(fail)
  }

  /** Ends one space: the peer is told why, and what it still says of it is dropped. The session goes on. */
  endSpace(space: SpaceName, reason: SyncError): void {
    const channel = this.#channels.get(space)
    if (!channel || this.#state.name === 'closed') return
    for (const number of this.#forget(channel)) this.#send(errorToFault(reason, { channel: number }))
    channel.endpoint.closed()
  }

  /** Sends and waits while the connection is over its high-water mark. */
  async send(message: Message): Promise<void> {
    if (this.#state.name === 'closed') return
    if (!this.#send(message)) await this.#connection.drained()
  }

  /** The peer's word on bytes for a space that both opened. */
  blobAuthority(channel: number): BlobAuthority {
    return peerAuthority(channel, this.#requests, (message) => void this.#send(message))
  }

  /** Ends the session; frames already queued are sent first. Idempotent. */
  close(reason = 'closed'): void {
    this.#end(undefined)
    this.#connection.close(reason)
  }

  /** Ends the session because of an error on this side: the peer is told its code. */
  fail(error: Error): void {
    this.#fail(error)
  }

  #send(message: Message): boolean {
    if (this.#state.name === 'closed') return true
    return this.#connection.send(encodeMessage(message))
  }

  #receive(bytes: Uint8Array): void {
    if (this.#state.name === 'closed') return
    this.#lastFrameMs = this.#host.timers.monotonicMs()
    try {
      if (this.#state.name === 'handshaking' && !this.#state.preambleSeen) {
        checkPreamble(bytes)
        this.#state = { name: 'handshaking', preambleSeen: true }
        return
      }
      this.#dispatch(decodeMessage(bytes), MESSAGE_BYTES + bytes.length)
    } catch (error) {
      this.#fail(error as Error)
    }
  }

  #dispatch(message: Message, bytes: number): void {
    if (this.#state.name === 'handshaking') {
      if (message.type === 'fault') throw faultToError(message)
      if (message.type !== 'hello') throw unexpected(message)
      this.#admit(message, bytes)
      return
    }
    if (isBlobRequest(message)) {
      this.#answer(message, bytes)
      return
    }
    switch (message.type) {
      case 'hello':
        throw unexpected(message)
      case 'ping':
        this.#pong(message.nonce)
        return
      case 'pong':
        return
      case 'fault':
        this.#fault(message, bytes)
        return
      case 'needed':
      case 'grants':
      case 'stored-result':
      case 'located':
        if (!this.#requests.answer(message)) throw unexpected(message)
        return
      case 'open':
        this.#admitSpace(message, bytes)
        return
      case 'rewind':
      case 'entries':
      case 'sync-point':
      case 'members':
      case 'acks':
      case 'digest':
      case 'reject':
      case 'want':
      case 'hint': {
        // An OPEN before it may still be on its way through the control queue.
        this.#queue(this.#control, bytes, () => {
          const channel = this.#channelOf(message.channel)
          if (channel) this.#deliver(channel, message, bytes)
        })
        return
      }
      default:
        message satisfies never
    }
  }

  /** Not while the last one waits to be read: whoever asks and never reads would fill our memory. */
  #pong(nonce: number): void {
    if (this.#isPongWaiting || this.#send({ type: 'pong', nonce })) return
    this.#isPongWaiting = true
    const isRead = () => {
      this.#isPongWaiting = false
    }
    this.#connection.drained().then(isRead, isRead)
  }

  #admit(hello: Hello, bytes: number): void {
    const peer: PeerInfo = { device: hello.device, role: hello.role, label: this.#connection.label }
    // Everything else goes through the control queue too, so it waits for the admission.
    this.#state = { name: 'open', peer }
    this.#queue(this.#control, bytes, async () => {
      // One minor version and no features: that the two can speak is all that there is to agree on.
      negotiate(this.#host.hello, hello)
      await this.#host.admit(hello)
      this.#cancelTimer()
      this.#armHeartbeat()
      this.#opened.resolve(peer)
    })
  }

  #admitSpace(message: Extract<Message, { type: 'open' }>, bytes: number): void {
    this.#queue(this.#control, bytes, async () => {
      // One more of an exchange that has ended: a new one begins with the first.
      if (this.#endedNumbers.has(message.channel) && message.number > 1) return
      if (message.channel > CHANNELS_MAX)
        throw new ProtocolError('UNKNOWN_CHANNEL', 'channel number too large')
      const known = this.#peerChannels.get(message.channel)
      if (known && known.space !== message.space)
        throw new ProtocolError('UNKNOWN_CHANNEL', 'channel number is in use')
      const channel = this.#channels.get(message.space) ?? (await this.#openedByPeer(message))
      if (!channel) return
      this.#endedNumbers.delete(message.channel)
      this.#peerChannels.set(message.channel, channel)
      this.#deliver(channel, message, bytes)
    })
  }

  /** @returns `undefined`: it is not for this peer, which was told so. */
  async #openedByPeer({ space, channel }: Extract<Message, { type: 'open' }>): Promise<Channel | undefined> {
    if (this.#channels.size >= CHANNELS_MAX) throw new ProtocolError('UNKNOWN_CHANNEL', 'too many spaces')
    try {
      this.addSpace(space, await this.#host.peerOpened(this, space))
      return this.#channels.get(space)
    } catch (error) {
      if (!(error instanceof AccessError)) throw error
      this.#endedNumbers.add(channel)
      this.#send(errorToFault(error, { channel }))
      return undefined
    }
  }

  #answer(message: BlobRequest, bytes: number): void {
    this.#queue(this.#control, bytes, () => {
      const channel = this.#channelOf(message.channel)
      if (!channel) {
        const error = new AccessError('NO_SUCH_SPACE', 'the space was closed')
        this.#send(errorToFault(error, { request: message.request }))
        return
      }
      const authority = channel.endpoint.blobs
      if (!authority) throw unexpected(message)
      // Not awaited: answers go out of order, a slow one holds nothing up.
      this.#inboxBytes += bytes
      answerBlobRequest(authority, message, this.#abort.signal)
        .then((reply) => this.send(reply))
        // Also where the answer does not fit into a frame.
        .catch((error: Error) => this.send({ ...errorToFault(error), request: message.request }))
        .catch((error: Error) => this.#fail(error))
        .finally(() => this.#release(bytes))
    })
  }

  /** @returns `undefined`: its space has ended. */
  #channelOf(number: number): Channel | undefined {
    const channel = this.#peerChannels.get(number)
    if (!channel && !this.#endedNumbers.has(number))
      throw new ProtocolError('UNKNOWN_CHANNEL', `channel ${number} was never opened`)
    return channel
  }

  #isOpen(channel: Channel): boolean {
    return this.#channels.get(channel.space) === channel
  }

  #deliver(channel: Channel, message: ExchangeMessage, bytes: number): void {
    this.#queue(channel.inbox, bytes, async () => {
      if (!this.#isOpen(channel)) return
      try {
        await channel.endpoint.receive(message)
      } catch (error) {
        // Of a space that has ended nothing matters any more, and what waits behind this gives its room back.
        if (this.#isOpen(channel)) throw error
      }
    })
  }

  /** @returns the peer's numbers for it. */
  #forget(channel: Channel): readonly number[] {
    this.#channels.delete(channel.space)
    const numbers: number[] = []
    for (const [number, of] of this.#peerChannels) if (of === channel) numbers.push(number)
    for (const number of numbers) {
      this.#peerChannels.delete(number)
      this.#endedNumbers.add(number)
    }
    return numbers
  }

  #fault(fault: Fault, bytes: number): void {
    const { request, channel } = fault
    if (request !== undefined) this.#requests.fail(request, faultToError(fault))
    // Behind the peer's OPEN, which may still be on its way through the control queue.
    else if (channel !== undefined) this.#queue(this.#control, bytes, () => this.#ended(channel, fault))
    else this.#end(faultToError(fault), true)
  }

  /** The peer ended the space that has this number here. */
  #ended(number: number, fault: Fault): void {
    const channel = [...this.#channels.values()].find((each) => each.number === number)
    // Ended on this side too, or it never was.
    if (!channel) return
    this.#forget(channel)
    this.#freeNumbers.push(number)
    channel.endpoint.closed(faultToError(fault))
    this.#host.spaceEnded?.(this, channel.space)
  }

  #queue(queue: SerialQueue, bytes: number, task: () => Promise<void> | void): void {
    this.#inboxBytes += bytes
    if (this.#inboxBytes > INBOX_BYTES_MAX) this.#connection.pause()
    queue.push(async () => {
      try {
        if (this.#state.name !== 'closed') await task()
      } finally {
        this.#release(bytes)
      }
    })
  }

  #release(bytes: number): void {
    const was = this.#inboxBytes
    this.#inboxBytes -= bytes
    if (was > INBOX_BYTES_MAX && this.#inboxBytes <= INBOX_BYTES_MAX) this.#connection.resume()
  }

  #armHeartbeat(): void {
    this.#cancelTimer = this.#host.timers.after(HEARTBEAT_INTERVAL_MS, () => {
      const silentMs = this.#host.timers.monotonicMs() - this.#lastFrameMs
      // While paused the silence is ours.
      if (silentMs > HEARTBEAT_TIMEOUT_MS && this.#inboxBytes <= INBOX_BYTES_MAX) {
        this.#fail(new TransportError(`nothing heard from the peer for ${Math.round(silentMs / 1000)} s`))
        return
      }
      this.#send({ type: 'ping', nonce: 0 })
      this.#armHeartbeat()
    })
  }

  #fail(error: Error): void {
    if (this.#state.name === 'closed') return
    this.#send(errorToFault(error))
    this.#end(error, true)
  }

  #end(error: Error | undefined, closeConnection = false): void {
    if (this.#state.name === 'closed') return
    this.#state = { name: 'closed', error }
    this.#cancelTimer()
    this.#abort.abort(error ?? new TransportError('the session was closed'))
    this.#requests.close(error)
    for (const channel of this.#channels.values()) channel.endpoint.closed()
    if (closeConnection) this.#connection.close(error instanceof SyncError ? error.code : 'error')
    this.#opened.reject(error ?? new TransportError('the session was closed'))
    this.#closed.resolve(error)
  }
}

function unexpected(message: Message): ProtocolError {
  return new ProtocolError('UNEXPECTED_MESSAGE', `${message.type} is not expected here`)
}
