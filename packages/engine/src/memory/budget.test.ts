import { expect, test } from 'vitest'
import { Budget } from './budget.js'

const settled = async (promise: Promise<unknown>): Promise<boolean> => {
  let done = false
  void promise.then(
    () => {
      done = true
    },
    () => undefined,
  )
  await new Promise((resolve) => setImmediate(resolve))
  return done
}

test('what does not fit waits, in order: a small one does not overtake a large one', async () => {
  const budget = new Budget(10, 10)
  const release = await budget.take(6, undefined)
  const large = budget.take(8, undefined)
  const small = budget.take(1, undefined)
  expect(await settled(small)).toBe(false)
  release()
  const releaseLarge = await large
  expect(await settled(small)).toBe(true)
  releaseLarge()
})

test('the count is a bound as well', async () => {
  const budget = new Budget(10, 2)
  const release = await budget.take(1, undefined)
  await budget.take(1, undefined)
  const third = budget.take(1, undefined)
  expect(await settled(third)).toBe(false)
  release()
  expect(await settled(third)).toBe(true)
})

test('more than all is given alone', async () => {
  const budget = new Budget(10, 10)
  const release = await budget.take(100, undefined)
  const next = budget.take(1, undefined)
  expect(await settled(next)).toBe(false)
  release()
  await next
})

test('who gives up waiting leaves the queue', async () => {
  const budget = new Budget(10, 10)
  const release = await budget.take(6, undefined)
  const abort = new AbortController()
  const large = budget.take(8, abort.signal)
  const small = budget.take(1, undefined)
  abort.abort(new Error('enough'))
  await expect(large).rejects.toThrow('enough')
  await small
  release()
  await expect(budget.take(1, abort.signal)).rejects.toThrow('enough')
  await budget.take(9, undefined)
})

test('with another count those that wait go on, and what is in use stays', async () => {
  const budget = new Budget(10, 2)
  const releases = [await budget.take(1, undefined), await budget.take(1, undefined)]
  const [third, fourth] = [budget.take(1, undefined), budget.take(1, undefined)]
  budget.allow(1)
  releases[0]!()
  expect(await settled(third)).toBe(false)
  budget.allow(2)
  expect(await settled(third)).toBe(true)
  expect(await settled(fourth)).toBe(false)
})
