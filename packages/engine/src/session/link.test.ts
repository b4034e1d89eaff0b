import { DatabaseError, PeerError, StoreError, type Transport, TransportError } from '@tidemark/protocol'
import { expect, test } from 'vitest'
import { Link, type LinkOptions, type LinkPhase } from './link.js'

/** Longest delays of the attempts after sessions that open and end at once with this error. */
async function delaysAfter(error: Error, sessionMs = 0): Promise<number[]> {
  const delays: number[] = []
  let nowMs = 0
  const options: LinkOptions = {
    transport: { connect: async () => ({}) } as unknown as Transport,
    random: { bytes: (count) => new Uint8Array(count).fill(255) },
    timers: {
      monotonicMs: () => nowMs,
      after: (_, fn, waiting) => {
        // A program that waits for the hub must not end because nothing else is to be done.
        expect(waiting).toEqual({ keepsAlive: true })
        setImmediate(fn)
        return () => undefined
      },
    },
    startSession: () =>
      ({
        ready: Promise.resolve(),
        get done() {
          nowMs += sessionMs
          return Promise.resolve(error)
        },
        close: () => undefined,
      }) as unknown as ReturnType<LinkOptions['startSession']>,
    onPhase: (phase: LinkPhase) => {
      if (phase.name === 'backoff') delays.push(phase.delayMs)
      if (delays.length === 4) void link.close()
    },
  }
  const link = new Link(options)
  await expect.poll(() => link.phase.name).toBe('closed')
  return delays
}

test.each([
  new PeerError('NO_SPACE', 'no space', 'later'),
  new DatabaseError('NO_SPACE', 'no space'),
  new StoreError('the store is overloaded', 503),
])('a peer that lets in and fails at once is asked ever more rarely: %s', async (error) => {
  const delays = await delaysAfter(error)
  expect(delays).toEqual([...delays].sort((a, b) => a - b))
  expect(delays[3]).toBeGreaterThan(5 * delays[0]!)
})

test('a session that lasted, or that the network cut, is followed by another at once', async () => {
  for (const delays of [
    await delaysAfter(new TransportError('cut')),
    await delaysAfter(new PeerError('NO_SPACE', 'no space', 'later'), 10_000),
  ]) {
    expect(new Set(delays)).toEqual(new Set([100]))
  }
})
