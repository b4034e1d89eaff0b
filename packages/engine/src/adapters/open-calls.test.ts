import { expect, test } from 'vitest'
import { OpenCalls } from './open-calls.js'

const forEver = (signal: AbortSignal): Promise<never> =>
  new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }))

test('a call ends by its own signal, and others go on until all end', async () => {
  const calls = new OpenCalls()
  const own = new AbortController()
  const first = calls.run(own.signal, forEver)
  const second = calls.run(undefined, forEver)
  own.abort(new Error('enough'))
  await expect(first).rejects.toThrow('enough')
  calls.end(new Error('closed'))
  await expect(second).rejects.toThrow('closed')
})

test('a call that comes after the end, or with a signal that has aborted, finds its signal aborted', async () => {
  const calls = new OpenCalls()
  const isAborted = async ({ aborted }: AbortSignal): Promise<boolean> => aborted
  expect(await calls.run(undefined, isAborted)).toBe(false)
  expect(await calls.run(AbortSignal.abort(), isAborted)).toBe(true)
  calls.end(new Error('closed'))
  expect(await calls.run(undefined, isAborted)).toBe(true)
})

test('what comes bit by bit ends in its middle too, and nobody is held who takes no more', async () => {
  const calls = new OpenCalls()
  const bits = async function* (signal: AbortSignal): AsyncGenerator<number> {
    for (let i = 0; ; i++) {
      signal.throwIfAborted()
      yield i
    }
  }
  const own = new AbortController()
  for await (const bit of calls.each(own.signal, bits)) if (bit === 2) break
  const rest = calls.each(own.signal, bits)
  expect(await rest.next()).toEqual({ done: false, value: 0 })
  calls.end(new Error('closed'))
  await expect(rest.next()).rejects.toThrow('closed')
})
