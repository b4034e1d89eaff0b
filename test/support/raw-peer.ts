import { randomBytes } from 'node:crypto'
import {
  checkPreamble,
  type DeviceId,
  decodeMessage,
  encodeMessage,
  encodePreamble,
  type Fault,
  FRAME_BYTES_MAX,
  type Hello,
  type Message,
  NO_SWEEP,
  type NodeEntry,
  parseDeviceId,
  parseSpaceName,
} from '@tidemark/protocol'
import { WebSocket } from 'ws'
import { TOKEN, until } from './processes.js'

/** Speaks the protocol by hand, well or badly. */
export class RawPeer {
  readonly received: Message[] = []
  readonly socket: WebSocket
  readonly device: DeviceId = parseDeviceId(randomBytes(8).toString('hex'))
  closed = false
  #preambleSeen = false

  private constructor(socket: WebSocket) {
    this.socket = socket
    socket.binaryType = 'nodebuffer'
    socket.on('message', (data: Buffer) => {
      if (this.#preambleSeen) this.received.push(decodeMessage(data))
      else checkPreamble(data)
      this.#preambleSeen = true
    })
    socket.on('close', () => {
      this.closed = true
    })
    socket.on('error', () => undefined)
  }

  static async dial(hub: { url: string }): Promise<RawPeer> {
    const peer = new RawPeer(
      new WebSocket(`${hub.url.replace(/^http/, 'ws')}/sync`, { perMessageDeflate: false }),
    )
    await until('the socket is open', () => peer.socket.readyState === WebSocket.OPEN)
    return peer
  }

  /** Past the handshake. */
  static async greeted(hub: { url: string }, token = TOKEN): Promise<RawPeer> {
    const peer = await RawPeer.dial(hub)
    peer.raw(encodePreamble())
    peer.say(peer.hello({ token }))
    await until('the hub says hello', () => peer.received.some(({ type }) => type === 'hello'))
    return peer
  }

  /** Past OPEN of a space, with everything that the hub holds in it. */
  static async opened(hub: { url: string }, space = 'default', token = TOKEN): Promise<RawPeer> {
    const peer = await RawPeer.greeted(hub, token)
    const none = new Map()
    peer.say({
      type: 'open',
      space: parseSpaceName(space),
      channel: 1,
      frontier: none,
      remembered: none,
      met: none,
      own: none,
      floor: none,
      acked: none,
      number: 1,
      answers: 0,
      sweep: NO_SWEEP,
    })
    await until('the first round ends', () => peer.received.some(({ type }) => type === 'sync-point'))
    return peer
  }

  hello(changes: Partial<Hello> = {}): Hello {
    return {
      type: 'hello',
      minor: [0, 0],
      features: [],
      required: [],
      frameBytesMax: FRAME_BYTES_MAX,
      device: this.device,
      role: 'replica',
      token: TOKEN,
      agent: 'raw peer of a test',
      ...changes,
    }
  }

  say(message: Message): void {
    this.raw(encodeMessage(message))
  }

  raw(frame: Uint8Array | string): void {
    this.socket.send(frame)
  }

  /** All entries that the hub sent. */
  get entries(): readonly NodeEntry[] {
    return this.received.flatMap((message) => (message.type === 'entries' ? message.entries : []))
  }

  /** The answer to a request. */
  async answerTo(request: number): Promise<Message> {
    const find = () => this.received.find((message) => 'request' in message && message.request === request)
    await until(`request ${request} is answered`, () => find() !== undefined || this.closed)
    const answer = find()
    if (!answer) throw new Error(`the session ended before request ${request} was answered`)
    return answer
  }

  /** The fault that ended the session; `undefined` when it ended without one. */
  async ended(): Promise<Fault | undefined> {
    await until('the hub closes the session', () => this.closed)
    return this.received.find(
      (message): message is Fault => message.type === 'fault' && message.request === undefined,
    )
  }

  close(): void {
    this.socket.terminate()
  }
}
