import { type BlobClient, StoreError } from '@tidemark/protocol'
import { expect, test } from 'vitest'
import { MemorySource, seededBytes } from '../../test/bytes.js'
import { type TestHub, type World, world } from '../../test/transfer-fixture.js'
import { VirtualTimers } from '../../test/virtual-timers.js'
import { uploadTimeoutMs } from '../adapters/deadline.js'
import { nodeHasher } from '../node/node-hasher.js'
import type { Hasher } from '../ports/hasher.js'
import { BodyCompressor } from './body-compressor.js'
import { LargeBodies } from './large-bodies.js'
import { Pace } from './pace.js'
import { RetryPolicy } from './retry.js'
import { Uploader } from './uploader.js'

const MIB = 2 ** 20
const IDLE_TIMEOUT_MS = 30_000
const TICK_MS = 250
/** Of the time of the link. */
const GIVEN_MS = 8_000_000

interface Body {
  readonly endsMs: number
  bytesLeft: number
  settle(error?: Error): void
}

/** Bodies share it alike, and each is given up when it takes too long, as a page gives them up. */
class SlowLink implements BlobClient {
  readonly #bodies = new Set<Body>()
  bytesPerMs: number
  givenUp = 0
  /** At once, since it was set. */
  most = 0

  constructor(
    private readonly hub: TestHub,
    private readonly timers: VirtualTimers,
    bytesPerMs: number,
  ) {
    this.bytesPerMs = bytesPerMs
  }

  put: BlobClient['put'] = async (grant, body, options) => {
    await new Promise<void>((resolve, reject) => {
      const sent: Body = {
        endsMs: this.timers.monotonicMs() + uploadTimeoutMs(IDLE_TIMEOUT_MS, body.length),
        bytesLeft: body.length,
        settle: (error) => {
          this.#bodies.delete(sent)
          if (error) reject(error)
          else resolve()
        },
      }
      this.#bodies.add(sent)
      this.most = Math.max(this.most, this.#bodies.size)
      if (this.#bodies.size === 1) this.#tick()
    })
    await this.hub.client.put(grant, body, options)
  }

  get: BlobClient['get'] = (...asked) => this.hub.client.get(...asked)

  #tick(): void {
    this.timers.after(TICK_MS, () => {
      const share = (this.bytesPerMs * TICK_MS) / this.#bodies.size
      for (const body of [...this.#bodies]) {
        body.bytesLeft -= share
        if (body.bytesLeft <= 0) body.settle()
        else if (this.timers.monotonicMs() >= body.endsMs) {
          this.givenUp += 1
          body.settle(new StoreError('blob store: silent'))
        }
      }
      if (this.#bodies.size > 0) this.#tick()
    })
  }
}

interface Stage extends World {
  readonly time: VirtualTimers
  readonly link: SlowLink
  readonly uploader: Uploader
  readonly ofOtherSpace: Uploader
}

function stage(bytesPerMs: number): Stage {
  const it = world()
  const time = new VirtualTimers()
  const pace = new Pace(time)
  const random = { bytes: (length: number) => new Uint8Array(length).fill(128) }
  const link = new SlowLink(it.hub, time, bytesPerMs)
  const retry = new RetryPolicy({ timers: time, random })
  // Nothing waits for threads: what it takes is the time of the link alone.
  const hasher: Hasher = { ...nodeHasher, sha256Async: async (bytes) => nodeHasher.sha256(bytes) }
  const compression = new BodyCompressor({ compressor: it.compressor, pace, mode: 'off' })
  it.hub.stored = async (blobs) => blobs
  const largeBodies = new LargeBodies(time)
  const parts = { ...it, pace, largeBodies, retry, hasher, compression, client: () => link }
  return { ...it, time, link, uploader: new Uploader(parts), ofOtherSpace: new Uploader(parts) }
}

/** @returns milliseconds that it took. */
async function upload(
  { uploader, time }: Pick<Stage, 'uploader' | 'time'>,
  seed: number,
  bytes: number,
): Promise<number> {
  const beganMs = time.monotonicMs()
  let hasEnded = false
  const end = (): void => {
    hasEnded = true
  }
  const storing = uploader.store(new MemorySource(seededBytes(seed, bytes)))
  storing.then(end, end)
  for (const endMs = beganMs + GIVEN_MS; !hasEnded && time.monotonicMs() < endMs; ) {
    // Before its first body it loads what cuts files.
    if (time.pending > 0) await time.pass(TICK_MS)
    else await new Promise((resolve) => setTimeout(resolve, 1))
  }
  expect(hasEnded).toBe(true)
  await storing
  return time.monotonicMs() - beganMs
}

test.each([
  [20, 2 * 6],
  [60, 6],
  [200, 0],
])(
  'a large file arrives by a link of %d KB/s, and few bodies of it are given up',
  async (bytesPerMs, most) => {
    const it = stage(bytesPerMs)
    await upload(it, 1, 60 * MIB)
    expect(it.link.givenUp).toBeLessThanOrEqual(most)
    const before = it.link.givenUp
    const tookMs = await upload(it, 2, 60 * MIB)
    expect(it.link.givenUp).toBe(before)
    expect(tookMs).toBeLessThan((1.2 * 60 * MIB) / bytesPerMs)
  },
)

test('when the link is fast again, as many bodies are on their way as if it had always been', async () => {
  const always = stage(20_000)
  await upload(always, 2, 120 * MIB)
  const it = stage(20)
  await upload(it, 1, 40 * MIB)
  it.link.most = 0
  it.link.bytesPerMs = 20_000
  await upload(it, 2, 120 * MIB)
  expect(it.link.most).toBe(always.link.most)
  expect(it.link.most).toBeGreaterThan(3)
})

test('several spaces share what one of them has learnt of a slow link', async () => {
  const it = stage(20)
  await upload(it, 1, 40 * MIB)
  const { givenUp } = it.link
  expect(givenUp).toBeGreaterThan(0)
  it.link.most = 0
  await Promise.all([upload(it, 2, 20 * MIB), upload({ ...it, uploader: it.ofOtherSpace }, 3, 20 * MIB)])
  expect([it.link.givenUp, it.link.most]).toEqual([givenUp, 1])
})
