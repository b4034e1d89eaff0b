import { describe, expect, test } from 'vitest'
import { TransportError } from '../errors.js'
import { FRAME_BYTES_MAX } from '../limits.js'
import type { Connection, Listener, Transport } from '../ports/transport.js'

/** What a transport's test sets up: a listener that listens, and a transport that dials it. */
export interface TransportFixture {
  readonly transport: Transport
  readonly listener: Listener
  /** Called after every rule, the listener may be closed already. */
  close(): Promise<void>
}

/** Records what one end gets. */
class Recorder {
  readonly frames: Uint8Array[] = []
  closedCount = 0
  readonly closed: Promise<void>
  #resolveClosed: () => void = () => {}
  #waiters: { count: number; resolve: () => void }[] = []

  constructor(
    readonly connection: Connection,
    onFrame?: (bytes: Uint8Array) => void,
  ) {
    this.closed = new Promise((resolve) => {
      this.#resolveClosed = resolve
    })
    connection.open({
      frame: (bytes) => {
        if (this.closedCount > 0) throw new Error('a frame after closed')
        this.frames.push(bytes)
        onFrame?.(bytes)
        this.#waiters = this.#waiters.filter(({ count, resolve }) => {
          if (this.frames.length < count) return true
          resolve()
          return false
        })
      },
      closed: () => {
        this.closedCount++
        this.#resolveClosed()
      },
    })
  }

  /** Resolves when `count` frames have come. */
  has(count: number): Promise<void> {
    if (this.frames.length >= count) return Promise.resolve()
    return new Promise((resolve) => this.#waiters.push({ count, resolve }))
  }
}

const SIGNAL = () => new AbortController().signal

function pattern(length: number, seed: number): Uint8Array {
  const out = new Uint8Array(length)
  for (let i = 0; i < length; i++) out[i] = (i * 31 + seed * 17 + (i >>> 8)) & 0xff
  return out
}

function equal(a: Uint8Array | undefined, b: Uint8Array): boolean {
  if (a === undefined || a.length !== b.length) return false
  return a.every((byte, i) => byte === b[i])
}

/**
 * The rules of a `Transport` and its `Listener` (ports/transport.ts) as tests. An adapter's whole test is
 * a setup function and this call.
 */
export function runTransportConformance(name: string, setup: () => Promise<TransportFixture>): void {
  async function withFixture(body: (fixture: TransportFixture) => Promise<void>): Promise<void> {
    const fixture = await setup()
    try {
      await body(fixture)
    } finally {
      await fixture.close()
    }
  }

  /** Dials once. @returns both ends, not opened. */
  async function dial({
    transport,
    listener,
  }: TransportFixture): Promise<{ near: Connection; far: Connection }> {
    const accepted = new Promise<Connection>((resolve) => listener.onConnection(resolve))
    const near = await transport.connect({ signal: SIGNAL() })
    return { near, far: await accepted }
  }

  const rule = (text: string, body: (fixture: TransportFixture) => Promise<void>) =>
    test(text, () => withFixture(body))

  describe(`transport ${name}`, () => {
    rule('frames arrive whole and in order, both ways at once', async (fixture) => {
      const { near, far } = await dial(fixture)
      const [a, b] = [new Recorder(near), new Recorder(far)]
      const sizes = [1, 0, 2, 125, 126, 127, 65_535, 65_536, 3, 100_000]
      for (const [i, size] of sizes.entries()) {
        near.send(pattern(size, i))
        far.send(pattern(size, i + 100))
      }
      await Promise.all([a.has(sizes.length), b.has(sizes.length)])
      for (const [i, size] of sizes.entries()) {
        expect(equal(b.frames[i], pattern(size, i))).toBe(true)
        expect(equal(a.frames[i], pattern(size, i + 100))).toBe(true)
      }
    })

    rule('a frame of FRAME_BYTES_MAX bytes arrives whole', async (fixture) => {
      const { near, far } = await dial(fixture)
      new Recorder(near)
      const b = new Recorder(far)
      const frame = pattern(FRAME_BYTES_MAX, 1)
      near.send(frame)
      await b.has(1)
      expect(equal(b.frames[0], pattern(FRAME_BYTES_MAX, 1))).toBe(true)
    })

    rule('frames that came before open are delivered then', async (fixture) => {
      const { near, far } = await dial(fixture)
      new Recorder(near)
      near.send(Uint8Array.of(1))
      near.send(Uint8Array.of(2))
      // Something from the other end has come: the two had time to arrive.
      const echo = await dial(fixture)
      await roundTrip(echo.near, echo.far)
      const b = new Recorder(far)
      await b.has(2)
      expect(b.frames.map((frame) => [...frame])).toEqual([[1], [2]])
    })

    rule(
      'send returns false when the other end does not take frames, and drained resolves when it does',
      async (fixture) => {
        const { near, far } = await dial(fixture)
        new Recorder(near)
        const b = new Recorder(far)
        far.pause()
        const frame = pattern(256 * 1024, 7)
        let sent = 0
        let isAccepting = true
        // Media buffer some MiB of their own; 256 MiB would be no backpressure at all.
        while (isAccepting && sent < 1_024) {
          isAccepting = near.send(frame)
          sent++
        }
        expect(isAccepting).toBe(false)
        let isDrained = false
        const drained = near.drained().then(() => {
          isDrained = true
        })
        await Promise.resolve()
        expect(isDrained).toBe(false)
        far.resume()
        await drained
        await b.has(sent)
        expect(b.frames.every((got) => got.length === frame.length)).toBe(true)
      },
    )

    rule('drained resolves at once on a quiet connection, and when a full one is closed', async (fixture) => {
      const { near, far } = await dial(fixture)
      const a = new Recorder(near)
      new Recorder(far)
      await near.drained()
      far.pause()
      const frame = pattern(256 * 1024, 7)
      for (let sent = 0; sent < 1_024 && near.send(frame); sent++);
      const drained = near.drained()
      far.close()
      await drained
      await a.closed
    })

    rule('a paused end gets nothing until resume, and can still send', async (fixture) => {
      const { near, far } = await dial(fixture)
      const [a, b] = [new Recorder(near), new Recorder(far)]
      far.pause()
      near.send(Uint8Array.of(1))
      far.send(Uint8Array.of(2))
      await a.has(1)
      far.send(Uint8Array.of(3))
      await a.has(2)
      expect(b.frames).toEqual([])
      far.resume()
      await b.has(1)
      expect([...b.frames[0]!]).toEqual([1])
    })

    rule('pause inside a frame handler holds the next frame back', async (fixture) => {
      const { near, far } = await dial(fixture)
      const a = new Recorder(near)
      const b = new Recorder(far, () => far.pause())
      near.send(Uint8Array.of(1))
      near.send(Uint8Array.of(2))
      await b.has(1)
      far.send(Uint8Array.of(9))
      await a.has(1)
      expect(b.frames.length).toBe(1)
      far.resume()
      await b.has(2)
    })

    rule('frames sent before close arrive before closed', async (fixture) => {
      const { near, far } = await dial(fixture)
      const [a, b] = [new Recorder(near), new Recorder(far)]
      for (let i = 0; i < 20; i++) near.send(pattern(10_000, i))
      near.close()
      await Promise.all([a.closed, b.closed])
      expect(b.frames.length).toBe(20)
    })

    rule('closed comes once at both ends, however often either end closes', async (fixture) => {
      const { near, far } = await dial(fixture)
      const [a, b] = [new Recorder(near), new Recorder(far)]
      near.close('done')
      near.close('again')
      far.close()
      await Promise.all([a.closed, b.closed])
      near.close()
      far.close()
      const other = await dial(fixture)
      await roundTrip(other.near, other.far)
      expect([a.closedCount, b.closedCount]).toEqual([1, 1])
    })

    rule('a frame sent after close is dropped', async (fixture) => {
      const { near, far } = await dial(fixture)
      const [a, b] = [new Recorder(near), new Recorder(far)]
      near.close()
      near.send(Uint8Array.of(1))
      await Promise.all([a.closed, b.closed])
      far.send(Uint8Array.of(1))
      await Promise.all([near.drained(), far.drained()])
      expect([a.frames.length, b.frames.length]).toEqual([0, 0])
    })

    rule('an end that opens after the other closed gets the frames, then closed', async (fixture) => {
      const { near, far } = await dial(fixture)
      const a = new Recorder(near)
      near.send(Uint8Array.of(5))
      near.close()
      await a.closed
      const b = new Recorder(far)
      await b.closed
      expect(b.frames.map((frame) => [...frame])).toEqual([[5]])
    })

    rule('connections of one listener do not mix', async (fixture) => {
      const first = await dial(fixture)
      const second = await dial(fixture)
      const [a, b] = [new Recorder(first.far), new Recorder(second.far)]
      new Recorder(first.near)
      new Recorder(second.near)
      first.near.send(Uint8Array.of(1))
      second.near.send(Uint8Array.of(2))
      await Promise.all([a.has(1), b.has(1)])
      expect([[...a.frames[0]!], [...b.frames[0]!]]).toEqual([[1], [2]])
    })

    rule('connect fails with TransportError when nobody listens', async ({ transport, listener }) => {
      await listener.close()
      await expect(transport.connect({ signal: SIGNAL() })).rejects.toBeInstanceOf(TransportError)
    })

    rule(
      'connect fails with TransportError when it is aborted before or while it dials',
      async ({ transport, listener }) => {
        listener.onConnection((connection) => connection.open({ frame() {}, closed() {} }))
        await expect(transport.connect({ signal: AbortSignal.abort() })).rejects.toBeInstanceOf(
          TransportError,
        )
        const controller = new AbortController()
        const connecting = transport.connect({ signal: controller.signal })
        controller.abort()
        await expect(connecting).rejects.toBeInstanceOf(TransportError)
      },
    )
  })
}

/** One frame there and one back. Opens both ends. */
async function roundTrip(near: Connection, far: Connection): Promise<void> {
  const [a, b] = [new Recorder(near), new Recorder(far)]
  near.send(Uint8Array.of(1))
  await b.has(1)
  far.send(Uint8Array.of(2))
  await a.has(1)
}
