import { expect, test } from 'vitest'
import { VirtualTimers } from '../../test/virtual-timers.js'
import { SMALL_BODY_BYTES_MAX } from './lane.js'
import { Pace } from './pace.js'

const MIB = 1024 * 1024
const KIB = 1024

/** Bodies that ask, and when each began (milliseconds). */
class Bodies {
  readonly timers = new VirtualTimers()
  readonly pace = new Pace(this.timers)
  readonly begun: [name: string, atMs: number][] = []

  async ask(name: string, bytes: number, signal?: AbortSignal): Promise<void> {
    await this.pace.up.take(bytes, signal)
    this.begun.push([name, this.timers.monotonicMs()])
  }

  get names(): string[] {
    return this.begun.map(([name]) => name)
  }
}

test('without a limit nothing waits, and no timer runs', async () => {
  const { pace, timers } = new Bodies()
  for (let i = 0; i < 1_000; i++) await pace.up.take(8 * MIB, undefined)
  expect(timers.pending).toBe(0)
})

test('[TR7] the mean of all bodies is the limit, also of those that are larger than a burst', async () => {
  const it = new Bodies()
  it.pace.limit({ uploadBytesPerSecond: 2 * MIB })
  for (let i = 0; i < 30; i++) void it.ask(`${i}`, i % 2 === 0 ? 8 * MIB : 2 * MIB)
  await it.timers.pass(60_000)
  // 10 MiB take five seconds, and a burst of half a MiB was there.
  expect(it.begun.filter(([, atMs]) => atMs < 30_000)).toHaveLength(13)
  expect(it.begun.at(12)).toEqual(['12', 29_750])
  await it.timers.pass(20_000)
  expect(it.names).toHaveLength(30)
})

test('what was not used is kept for a moment only', async () => {
  const it = new Bodies()
  it.pace.limit({ uploadBytesPerSecond: 100 * KIB })
  await it.timers.pass(3_600_000)
  for (let i = 0; i < 10; i++) void it.ask(`${i}`, 25 * KIB)
  await it.timers.pass(0)
  expect(it.names).toEqual(['0', '1'])
  await it.timers.pass(2_000)
  expect(it.names).toHaveLength(10)
})

test('a tiny limit asks no timer for more than it takes, and does not run in circles', async () => {
  const it = new Bodies()
  const asked: number[] = []
  const after = it.timers.after.bind(it.timers)
  it.timers.after = (delayMs, fn) => {
    asked.push(delayMs)
    return after(delayMs, fn)
  }
  it.pace.limit({ uploadBytesPerSecond: 0.001 })
  await it.pace.up.take(8 * MIB, undefined)
  void it.ask('next', 8 * MIB)
  await it.timers.pass(24 * 3_600_000)
  expect(it.names).toEqual([])
  expect(Math.max(...asked)).toBeLessThan(2 ** 31)
  expect(asked.length).toBeLessThan(50)
})

test('[TR7] a large body that was compressed to a small one counts what travels, and overtakes nobody', async () => {
  const it = new Bodies()
  it.pace.limit({ uploadBytesPerSecond: MIB })
  for (let i = 0; i < 3; i++) void it.ask(`large ${i}`, 2 * MIB)
  const compressed = it.pace.up.take(MIB / 2, undefined, { plainBytes: 8 * MIB })
  void compressed.then(() => it.begun.push(['compressed', it.timers.monotonicMs()]))
  void it.ask('small', MIB / 2)
  await it.timers.pass(20_000)
  expect(it.names).toEqual(['large 0', 'small', 'large 1', 'large 2', 'compressed'])
  void it.ask('next', 2 * MIB)
  void it.ask('last', 2 * MIB)
  await it.timers.pass(0)
  expect(it.names).toContain('next')
})

test('directions have limits of their own', async () => {
  const it = new Bodies()
  it.pace.limit({ uploadBytesPerSecond: 1 })
  await it.pace.up.take(MIB, undefined)
  void it.ask('up', MIB)
  for (let i = 0; i < 100; i++) await it.pace.down.take(8 * MIB, undefined)
  expect(it.names).toEqual([])
})

test('a small body overtakes large ones, and does not wait until they are paid', async () => {
  const it = new Bodies()
  it.pace.limit({ uploadBytesPerSecond: MIB })
  for (const name of ['a', 'b', 'c']) void it.ask(name, 8 * MIB)
  await it.timers.pass(1_000)
  void it.ask('small', KIB)
  await it.timers.pass(0)
  expect(it.begun).toEqual([
    ['a', 0],
    ['small', 1_000],
  ])
  await it.timers.pass(30_000)
  expect(it.names).toEqual(['a', 'small', 'b', 'c'])
})

test('[TR7] small bodies without end leave a share to the large ones, and all together keep the limit', async () => {
  const it = new Bodies()
  it.pace.limit({ uploadBytesPerSecond: MIB })
  const small = async (): Promise<void> => {
    for (;;) await it.ask('small', SMALL_BODY_BYTES_MAX / 4)
  }
  const large = async (): Promise<void> => {
    for (;;) await it.ask('large', 8 * MIB)
  }
  for (let i = 0; i < 4; i++) void small()
  void large()
  await it.timers.pass(400_000)
  const count = (wanted: string): number => it.names.filter((name) => name === wanted).length
  const [smallBytes, largeBytes] = [(count('small') * MIB) / 4, count('large') * 8 * MIB]
  expect((smallBytes + largeBytes) / MIB).toBeGreaterThan(390)
  expect((smallBytes + largeBytes) / MIB).toBeLessThan(410)
  expect(largeBytes / MIB).toBeGreaterThan(90)
  expect(smallBytes / MIB).toBeGreaterThan(290)
})

test('[TR7] who gives up waiting leaves at once, and those behind go on', async () => {
  const it = new Bodies()
  it.pace.limit({ uploadBytesPerSecond: KIB })
  await it.ask('first', 2 * MIB)
  const abort = new AbortController()
  const given = it.ask('given up', 2 * MIB, abort.signal)
  void it.ask('behind', 2 * MIB)
  abort.abort(new Error('enough'))
  await expect(given).rejects.toThrow('enough')
  await expect(it.ask('late', 1, abort.signal)).rejects.toThrow('enough')
  await it.timers.pass(2_100_000)
  expect(it.names).toEqual(['first', 'behind'])
  const last = new AbortController()
  const alone = it.ask('alone', 2 * MIB, last.signal)
  last.abort(new Error('enough'))
  await expect(alone).rejects.toThrow('enough')
  expect(it.timers.pending).toBe(0)
})

test('[TR7] nothing begins during a pause, whatever its size, and all goes on after it', async () => {
  const it = new Bodies()
  it.pace.pause()
  void it.ask('large', 8 * MIB)
  void it.ask('small', 1)
  await it.timers.pass(3_600_000)
  expect(it.names).toEqual([])
  expect(it.timers.pending).toBe(0)
  it.pace.resume()
  await it.timers.pass(0)
  expect(it.names.sort()).toEqual(['large', 'small'])
})

test('a pause under a limit: no timer wakes anybody, and the limit holds after it', async () => {
  const it = new Bodies()
  it.pace.limit({ uploadBytesPerSecond: MIB })
  for (const name of ['a', 'b', 'c']) void it.ask(name, 2 * MIB)
  await it.timers.pass(1_000)
  it.pace.pause()
  void it.ask('d', 2 * MIB)
  it.pace.limit({ uploadBytesPerSecond: 2 * MIB })
  await it.timers.pass(60_000)
  expect(it.names).toEqual(['a'])
  it.pace.resume()
  await it.timers.pass(1_000)
  expect(it.begun).toEqual([
    ['a', 0],
    ['b', 61_000],
    ['c', 61_750],
  ])
})

test('another limit takes effect at once and forgives nothing; none lets all go', async () => {
  const it = new Bodies()
  it.pace.limit({ uploadBytesPerSecond: KIB })
  for (const name of ['a', 'b', 'c', 'd']) void it.ask(name, 2 * MIB)
  for (let i = 0; i < 10; i++) it.pace.limit({ uploadBytesPerSecond: KIB })
  await it.timers.pass(1_000)
  expect(it.names).toEqual(['a'])
  it.pace.limit({ uploadBytesPerSecond: MIB })
  await it.timers.pass(2_000)
  expect(it.names).toEqual(['a', 'b'])
  it.pace.limit({})
  await it.timers.pass(0)
  expect(it.names).toEqual(['a', 'b', 'c', 'd'])
})

test('what went without asking is made up for by large bodies', async () => {
  const it = new Bodies()
  it.pace.limit({ uploadBytesPerSecond: MIB })
  it.pace.up.count(5 * MIB)
  void it.ask('large', 2 * MIB)
  void it.ask('small', KIB)
  await it.timers.pass(10_000)
  expect(it.names).toEqual(['small', 'large'])
  expect(it.begun[1]![1]).toBeGreaterThan(4_700)
})

test('closed, nobody waits any more', async () => {
  const it = new Bodies()
  it.pace.pause()
  const waiting = [it.ask('large', 8 * MIB), it.pace.down.take(1, undefined)]
  it.pace.close(new Error('closed'))
  for (const each of waiting) await expect(each).rejects.toThrow('closed')
  await expect(it.pace.up.take(1, undefined)).rejects.toThrow('closed')
  expect(it.timers.pending).toBe(0)
})
