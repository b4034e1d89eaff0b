import { expect, test } from 'vitest'
import { RateMeter } from './rate-meter.js'

function setUp() {
  const clock = { nowMs: 1_000 }
  const it = Object.assign(clock, {
    ends: [] as (() => void)[],
    meter: new RateMeter(() => clock.nowMs),
  })
  const begin = (bytes: number): Promise<void> =>
    it.meter.measure(bytes, () => new Promise<void>((resolve) => it.ends.push(resolve)))
  const end = async (work: Promise<void>): Promise<void> => {
    it.ends.shift()!()
    await work
  }
  return { it, begin, end }
}

test('what goes on at once shares the time, and pauses do not count', async () => {
  const { it, begin, end } = setUp()
  expect(it.meter.bytesPerSecond).toBeUndefined()
  const [a, b] = [begin(1_000), begin(1_000)]
  it.nowMs += 100
  await end(a)
  it.nowMs += 100
  await end(b)
  expect(it.meter.bytesPerSecond).toBeCloseTo(10_000, -3)
  it.nowMs += 5_000
  expect(it.meter.bytesPerSecond).toBeCloseTo(10_000, -3)
  it.nowMs += 3_600_000
  expect(it.meter.bytesPerSecond, 'long ago').toBeUndefined()
})

test('little is not enough to know, and time without bytes makes it slower', async () => {
  const { it, begin, end } = setUp()
  const first = begin(1_000)
  it.nowMs += 40
  await end(first)
  expect(it.meter.bytesPerSecond).toBeUndefined()
  const second = begin(1_000)
  it.nowMs += 60
  expect(it.meter.bytesPerSecond).toBeCloseTo(10_000, -3)
  it.nowMs += 100
  expect(it.meter.bytesPerSecond).toBeCloseTo(5_000, -3)
  await end(second)
  expect(it.meter.bytesPerSecond).toBeCloseTo(10_000, -3)
})

test('what fails took its time', async () => {
  const { it } = setUp()
  const fail = it.meter.measure(1_000, async () => {
    it.nowMs += 100
    throw new Error('no')
  })
  await expect(fail).rejects.toThrow('no')
  await it.meter.measure(1_000, async () => {
    it.nowMs += 100
  })
  expect(it.meter.bytesPerSecond).toBeCloseTo(5_000, -3)
})

test('the past fades', async () => {
  const { it } = setUp()
  const step = (bytes: number) =>
    it.meter.measure(bytes, async () => {
      it.nowMs += 1_000
    })
  for (let i = 0; i < 100; i++) await step(1_000_000)
  for (let i = 0; i < 40; i++) await step(1_000)
  expect(it.meter.bytesPerSecond).toBeLessThan(50_000)
})
