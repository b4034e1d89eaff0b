import { expect, test } from 'vitest'
import { GOALS } from '../bench/goals.js'
import { readText } from './repository.js'

test('the goals that the benchmarks print are those of their README', () => {
  const section = readText('bench/README.md').split('## Goals\n')[1]!.split('\n## ')[0]!
  const stated = [...section.matchAll(/[≤≥] ([\d.]+)/g)].map(([, number]) => Number(number))
  expect(stated).toEqual(Object.values(GOALS))
})
