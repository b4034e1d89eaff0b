import {
  AccessError,
  CHANNELS_MAX,
  type Connection,
  type ConnectionHandlers,
  type DeviceId,
  decodeMessage,
  encodeMessage,
  encodePreamble,
  FRAME_BYTES_MAX,
  HANDSHAKE_TIMEOUT_MS,
  HEARTBEAT_INTERVAL_MS,
  HEARTBEAT_TIMEOUT_MS,
  type Hello,
  IDS_PER_REQUEST_MAX,
  type Message,
  NO_SWEEP,
  PROTOCOL_MINORS,
  parseSpaceName,
} from '@tidemark/protocol'
import { createMemoryConnectionPair } from '@tidemark/protocol/memory'
import { describe, expect, test } from 'vitest'
import type { Timers } from '../ports/clock.js'
import type { BlobAuthority } from '../transfer/blob-authority.js'
import { type ExchangeMessage, Session, type SessionHost, type SpaceEndpoint } from './session.js'
import { withResolvers } from './with-resolvers.js'

/** Time that moves when told to. */
class HandTimers implements Timers {
  #now = 0
  readonly #due = new Set<{ at: number; fn: () => void }>()
  monotonicMs = (): number => this.#now
  after = (delayMs: number, fn: () => void): (() => void) => {
    const item = { at: this.#now + delayMs, fn }
    this.#due.add(item)
    return () => this.#due.delete(item)
  }
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms
    for (;;) {
      const next = [...this.#due].filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0]
      if (!next) break
      this.#due.delete(next)
      this.#now = next.at
      next.fn()
      await settle()
    }
    this.#now = end
  }
}

const settle = async (): Promise<void> => {
  for (let i = 0; i < 30; i++) await Promise.resolve()
}
const SPACE = parseSpaceName('photos')
const hello = (over: Partial<Hello> = {}): Hello => ({
  type: 'hello',
  minor: PROTOCOL_MINORS,
  features: [],
  required: [],
  frameBytesMax: FRAME_BYTES_MAX,
  device: '00000000000000aa' as DeviceId,
  role: 'replica',
  agent: 'test',
  ...over,
})
const open = (channel = 1): Message => ({
  type: 'open',
  space: SPACE,
  channel,
  frontier: new Map(),
  remembered: new Map(),
  met: new Map(),
  own: new Map(),
  floor: new Map(),
  acked: new Map(),
  number: 1,
  answers: 0,
  sweep: NO_SWEEP,
})
const rewind = (channel = 1): Message => ({ type: 'rewind', channel, reason: 'requested' })

class Endpoint implements SpaceEndpoint {
  readonly got: ExchangeMessage['type'][] = []
  closedCount = 0
  blobs: BlobAuthority | undefined
  endedBy: Error | undefined
  constructor(readonly hold: Promise<void> = Promise.resolve()) {}
  start = async (): Promise<void> => undefined
  receive = async (message: ExchangeMessage): Promise<void> => {
    await this.hold
    this.got.push(message.type)
  }
  closed = (error?: Error): void => {
    this.closedCount++
    this.endedBy = error
  }
}

/** A session and, at the other end, somebody who says whatever the test wants. */
class Stage {
  readonly timers = new HandTimers()
  readonly endpoint: Endpoint
  readonly said: Message[] = []
  /** Spaces that this side has. */
  readonly here = new Set([SPACE])
  /** That the peer ended. */
  readonly ended: string[] = []
  readonly session: Session
  readonly far: Connection
  closed = false

  constructor(options: { admit?: SessionHost['admit']; hold?: Promise<void> } = {}) {
    const { near: far, far: near } = createMemoryConnectionPair()
    this.far = far
    this.endpoint = new Endpoint(options.hold)
    this.session = new Session(near, {
      hello: hello({ device: '00000000000000bb' as DeviceId, role: 'hub' }),
      timers: this.timers,
      admit: options.admit ?? (async () => undefined),
      peerOpened: async (_, space) => {
        if (!this.here.has(space)) throw new AccessError('NO_SUCH_SPACE', space)
        return () => this.endpoint
      },
      spaceEnded: (_, space) => void this.ended.push(space),
    })
    let first = true
    far.open({
      frame: (bytes) => {
        if (!first) this.said.push(decodeMessage(bytes))
        first = false
      },
      closed: () => {
        this.closed = true
      },
    })
  }

  async say(...frames: (Message | Uint8Array)[]): Promise<this> {
    for (const frame of frames) this.far.send(frame instanceof Uint8Array ? frame : encodeMessage(frame))
    await settle()
    return this
  }

  greet(): Promise<this> {
    return this.say(encodePreamble(), hello())
  }

  /** The code of the fault that ended the session. */
  get fault(): string | undefined {
    const last = this.said.at(-1)
    return last?.type === 'fault' ? last.code : undefined
  }
}

describe('the handshake', () => {
  test('[SE2] both say preamble and hello, and the session is open', async () => {
    const stage = await new Stage().greet()
    expect(await stage.session.ready).toMatchObject({ device: '00000000000000aa', role: 'replica' })
    expect(stage.said.map(({ type }) => type)).toEqual(['hello'])
  })

  const refused: [name: string, frames: (Message | Uint8Array)[], code: string][] = [
    ['random bytes', [new Uint8Array([1, 2, 3])], 'BAD_MAGIC'],
    ['another major version', [Uint8Array.from([...encodePreamble().subarray(0, 8), 99])], 'VERSION'],
    ['no common minor version', [encodePreamble(), hello({ minor: [7, 9] })], 'VERSION'],
    ['an unknown required feature', [encodePreamble(), hello({ required: ['telepathy'] })], 'FEATURE'],
    [
      'frames that are too short for an entry',
      [encodePreamble(), hello({ frameBytesMax: FRAME_BYTES_MAX / 2 })],
      'UNEXPECTED_MESSAGE',
    ],
    ['something else before hello', [encodePreamble(), { type: 'ping', nonce: 1 }], 'UNEXPECTED_MESSAGE'],
    ['a truncated frame', [encodePreamble(), encodeMessage(hello()).subarray(0, 9)], 'DECODE'],
    ['a second hello', [encodePreamble(), hello(), hello()], 'UNEXPECTED_MESSAGE'],
  ]
  test.each(refused)('[SE1] %s is a typed fault and the end', async (_, frames, code) => {
    const stage = await new Stage().say(...frames)
    expect(stage.fault).toBe(code)
    expect(stage.closed).toBe(true)
    expect(await stage.session.done).toMatchObject({ code })
  })

  test('[SE1] a peer that says nothing is given up', async () => {
    const stage = new Stage()
    await stage.timers.advance(HANDSHAKE_TIMEOUT_MS)
    expect(stage.closed).toBe(true)
    await expect(stage.session.ready).rejects.toMatchObject({ code: 'TRANSPORT' })
  })

  test('[AC1] who is not admitted hears why, and nothing that was said behind the hello is handled', async () => {
    const stage = new Stage({
      admit: async () => {
        throw new AccessError('UNAUTHENTICATED', 'no')
      },
    })
    await stage.say(encodePreamble(), hello(), open())
    expect(stage.fault).toBe('UNAUTHENTICATED')
    expect(stage.endpoint.got).toEqual([])
  })
})

describe('an open session', () => {
  test('[SE3] messages of a space arrive in order, and its end is told once', async () => {
    const stage = await new Stage().greet()
    await stage.say(open(), { type: 'rewind', channel: 1, reason: 'requested' })
    expect(stage.endpoint.got).toEqual(['open', 'rewind'])
    stage.session.close()
    stage.session.close()
    await settle()
    expect(stage.endpoint.closedCount).toBe(1)
    expect(await stage.session.done).toBeUndefined()
  })

  const refused: [name: string, messages: Message[], code: string][] = [
    [
      'a channel that was never opened',
      [{ type: 'rewind', channel: 9, reason: 'requested' }],
      'UNKNOWN_CHANNEL',
    ],
    [
      'a question about bytes to who has no word on them',
      [open(), { type: 'need', request: 1, channel: 1, chunks: [] }],
      'UNEXPECTED_MESSAGE',
    ],
  ]
  test.each(refused)('[SE1] %s is a typed fault and the end', async (_, messages, code) => {
    const stage = await new Stage().greet()
    await stage.say(...messages)
    expect(stage.fault).toBe(code)
    expect(stage.closed).toBe(true)
  })

  test('[SE7] a space that is not here is refused alone, and taken once it is', async () => {
    const stage = await new Stage().greet()
    stage.here.clear()
    await stage.say(open(), rewind())
    expect(stage.said.slice(1)).toMatchObject([{ type: 'fault', code: 'NO_SUCH_SPACE', channel: 1 }])
    await stage.say({ type: 'need', request: 5, channel: 1, chunks: [] })
    expect(stage.said.at(-1)).toMatchObject({ type: 'fault', code: 'NO_SUCH_SPACE', request: 5 })
    expect(stage.closed).toBe(false)
    stage.here.add(SPACE)
    await stage.say(open(), rewind())
    expect(stage.endpoint.got).toEqual(['open', 'rewind'])
  })

  test('[SE7] a space that the peer ends is over with its reason, and may be opened again', async () => {
    const stage = await new Stage().greet()
    await stage.say(open())
    const other = new Endpoint()
    const numbers: number[] = []
    const add = () =>
      stage.session.addSpace(parseSpaceName('third'), (number) => {
        numbers.push(number)
        return other
      })
    add()
    await stage.say({ type: 'fault', code: 'FORBIDDEN', message: 'no', retry: 'never', channel: 2 })
    expect(other).toMatchObject({ closedCount: 1, endedBy: { code: 'FORBIDDEN' } })
    expect(stage.ended).toEqual(['third'])
    expect(stage.endpoint.closedCount).toBe(0)
    add()
    expect(numbers).toEqual([2, 2])
    stage.session.close()
    expect(other.closedCount).toBe(2)
  })

  test('[SE7] one more OPEN of an exchange that this side has ended is dropped: its end was told', async () => {
    const stage = await new Stage().greet()
    await stage.say(open())
    stage.here.clear()
    stage.session.endSpace(SPACE, new AccessError('NO_SUCH_SPACE', 'closed'))
    await settle()
    const told = stage.said.length
    await stage.say({ ...open(), number: 2 } as Message)
    expect(stage.said.length).toBe(told)
    await stage.say(open())
    expect(stage.said.at(-1)).toMatchObject({ type: 'fault', code: 'NO_SUCH_SPACE', channel: 1 })
  })

  test('[SE7] a session whose channel numbers are used up ends, so that a new one has all', async () => {
    const stage = await new Stage().greet()
    for (let i = 0; i <= CHANNELS_MAX; i++) {
      const space = parseSpaceName(`space-${i}`)
      stage.session.addSpace(space, () => new Endpoint())
      stage.session.endSpace(space, new AccessError('NO_SUCH_SPACE', 'closed'))
    }
    expect(await stage.session.done).toMatchObject({ code: 'TRANSPORT', retry: 'later' })
  })

  test('[SE7] of a space that this side ends nothing more is handled', async () => {
    const stage = await new Stage().greet()
    await stage.say(open())
    stage.session.endSpace(SPACE, new AccessError('NO_SUCH_SPACE', 'closed'))
    expect(stage.endpoint).toMatchObject({ closedCount: 1, endedBy: undefined })
    await stage.say(rewind())
    expect(stage.said.at(-1)).toMatchObject({ type: 'fault', code: 'NO_SUCH_SPACE', channel: 1 })
    expect(stage.endpoint.got).toEqual(['open'])
    expect(stage.closed).toBe(false)
  })

  test('[SE4] a ping is answered, and silence is noticed', async () => {
    const stage = await new Stage().greet()
    await stage.say({ type: 'ping', nonce: 5 })
    expect(stage.said.at(-1)).toEqual({ type: 'pong', nonce: 5 })
    await stage.timers.advance(HEARTBEAT_TIMEOUT_MS + 2 * HEARTBEAT_INTERVAL_MS)
    expect(stage.closed).toBe(true)
    expect(await stage.session.done).toMatchObject({ code: 'TRANSPORT' })
  })

  test('[SE5] a reader that is slow stops the peer instead of filling memory', async () => {
    let release = (): void => undefined
    const stage = await new Stage({
      hold: new Promise((resolve) => {
        release = resolve
      }),
    }).greet()
    await stage.say(open())
    const inline = Array.from({ length: 60 }, (_, i) => ({
      id: i.toString(16).padStart(64, '0') as never,
      bytes: new Uint8Array(60_000),
    }))
    const frame = encodeMessage({
      type: 'entries',
      channel: 1,
      run: '0000000000000001' as never,
      lseq: 1,
      entries: [],
      inline,
    })
    let accepted = 0
    while (stage.far.send(frame) && accepted < 100) {
      accepted++
      await settle()
    }
    expect(accepted * frame.length).toBeLessThan(32 * 1024 * 1024)
    release()
    await settle()
    await stage.far.drained()
    expect(stage.endpoint.got.length).toBeGreaterThan(accepted)
  })

  /** A session whose connection says when it is paused, and that never sends what is given to it. */
  async function stuckSession(hold: Promise<void> = new Promise(() => undefined)) {
    const state = { isPaused: false, sent: 0 }
    let handlers: ConnectionHandlers | undefined
    const connection: Connection = {
      label: 'stuck',
      open: (given) => {
        handlers = given
      },
      send: () => {
        state.sent++
        return false
      },
      drained: () => new Promise(() => undefined),
      pause: () => {
        state.isPaused = true
      },
      resume: () => {
        state.isPaused = false
      },
      close: () => undefined,
    }
    const endpoint = new Endpoint(hold)
    const session = new Session(connection, {
      hello: hello(),
      timers: new HandTimers(),
      admit: async () => undefined,
      peerOpened: async () => () => endpoint,
    })
    const say = (message: Message) => handlers!.frame(encodeMessage(message))
    handlers!.frame(encodePreamble())
    say(hello())
    say(open())
    await settle()
    return { session, state, say }
  }

  test('[SE5] messages of a few bytes count for what they cost here', async () => {
    const { session, state, say } = await stuckSession()
    let count = 0
    while (!state.isPaused && count < 100_000) {
      say({ type: 'rewind', channel: 1, reason: 'requested' })
      if (++count % 100 === 0) await settle()
    }
    expect(count).toBeLessThan(20_000)
    session.close()
  })

  test('[SE7] what waits for a space that ends in the middle of a failure gives its room back', async () => {
    const { promise: hold, reject } = withResolvers<void>()
    const { session, state, say } = await stuckSession(hold)
    for (let i = 0; i < 10_000; i++) say({ type: 'rewind', channel: 1, reason: 'requested' })
    // Until all wait for the one before them.
    await new Promise((resolve) => setImmediate(resolve))
    expect(state.isPaused).toBe(true)
    session.endSpace(SPACE, new AccessError('NO_SUCH_SPACE', 'closed'))
    reject(new Error('its database is closed'))
    await expect.poll(() => state.isPaused).toBe(false)
    session.close()
  })

  test('[SE5] pings of a peer that reads nothing are not answered one by one', async () => {
    const { session, state, say } = await stuckSession()
    const before = state.sent
    for (let nonce = 0; nonce < 100; nonce++) say({ type: 'ping', nonce })
    expect(state.sent - before).toBe(1)
    session.close()
  })

  test('[SE6] an answer that does not fit into a frame is a fault of its request, and the session goes on', async () => {
    const stage = await new Stage().greet()
    const grant = { method: 'PUT', url: 'u'.repeat(2_000), headers: {}, expiresAtMs: 1 } as const
    stage.endpoint.blobs = {
      grantPuts: async () => new Array(IDS_PER_REQUEST_MAX).fill(grant),
    } as Partial<BlobAuthority> as BlobAuthority
    await stage.say(open(), { type: 'grant-puts', request: 7, channel: 1, blobs: [] })
    expect(stage.said.at(-1)).toMatchObject({ type: 'fault', request: 7, code: 'LIMIT' })
    await stage.say({ type: 'ping', nonce: 5 })
    expect(stage.said.at(-1)).toEqual({ type: 'pong', nonce: 5 })
  })

  test('[SE6] requests fail when the session ends, none hangs', async () => {
    const stage = await new Stage().greet()
    const answer = stage.session.blobAuthority(1).need([])
    await settle()
    stage.far.close()
    await expect(answer).rejects.toMatchObject({ code: 'TRANSPORT' })
  })
})
