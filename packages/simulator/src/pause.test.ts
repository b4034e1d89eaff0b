import { expect, test } from 'vitest'
import { replay } from './simulate.js'

const momentOf = (trace: readonly string[], what: string): number =>
  Number(trace.find((line) => line.endsWith(what))?.split(' ')[0] ?? Number.NaN)

test('[TR6] nothing is sent during a pause, and all after it, or after another start, or in the end', async () => {
  const { trace } = await replay(`
    devices ann bob cyd
    pause ann
    pause bob
    pause cyd
    ann create a 400000
    bob create b
    cyd create c
    wait 60000
    resume ann
    wait 60000
    kill bob
    start bob
    wait 60000
  `)
  expect(momentOf(trace, 'ann sent a: create')).toBeGreaterThanOrEqual(60_000)
  expect(momentOf(trace, 'ann sent a: create')).toBeLessThan(120_000)
  expect(momentOf(trace, 'bob sent b: create')).toBeGreaterThanOrEqual(120_000)
  expect(momentOf(trace, 'bob sent b: create')).toBeLessThan(180_000)
  expect(momentOf(trace, 'cyd sent c: create')).toBeGreaterThanOrEqual(180_000)
})
