import { expect, test } from 'vitest'
import { inOrder } from '../src/in-order.js'

test('what sources give comes in their order, while so many of the next have begun', async () => {
  const begun: number[] = []
  async function* source(n: number): AsyncGenerator<string> {
    begun.push(n)
    yield `${n}a`
    yield `${n}b`
  }
  const given: string[] = []
  let atFirst: readonly number[] = []
  for await (const each of inOrder([0, 1, 2, 3, 4].map(source), 2)) {
    if (given.length === 0) atFirst = [...begun]
    given.push(each)
  }
  expect(atFirst).toEqual([0, 1, 2])
  expect(given).toEqual(['0a', '0b', '1a', '1b', '2a', '2b', '3a', '3b', '4a', '4b'])
})

test('a failure comes when it is its turn, and those of sources behind it trouble nobody', async () => {
  async function* failing(text: string): AsyncGenerator<string> {
    yield await Promise.reject(new Error(text))
  }
  async function* fine(): AsyncGenerator<string> {
    yield 'fine'
  }
  const given: string[] = []
  const run = async () => {
    for await (const each of inOrder([fine(), failing('first'), failing('second')], 2)) given.push(each)
  }
  await expect(run()).rejects.toThrow('first')
  expect(given).toEqual(['fine'])
})
