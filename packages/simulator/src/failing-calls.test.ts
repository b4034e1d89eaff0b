import { expect, test } from 'vitest'
import { Fault } from './life.js'
import { replay } from './simulate.js'

test('so many calls in a row fail, behind those that are let through, and others are not counted', () => {
  const fault = new Fault()
  fault.set(1, 2, false)
  expect([false, true, false, false, false].map((isLook) => fault.strikes(isLook))).toEqual([
    false,
    false,
    true,
    true,
    false,
  ])
  fault.set(0, 1, true)
  expect(fault.strikes(true)).toBe(true)
  fault.set(0, 1, true)
  fault.clear()
  expect(fault.strikes(true)).toBe(false)
})

/** What others did comes to one who did something herself, and one call of her program fails. */
const script = (fault: string): string => `
  seed 3
  devices ann bob
  ann create f
  ann mkdir d
  ann create d/g
  ann create h
  wait 4000
  away bob
  bob edit f
  bob rename h d/h
  wait 3000
  ann edit f
  ann remove d/g
  wait 3000
  fail ann ${fault}
  return bob
  wait 9000
`

test.each([0, 1, 2, 3])(
  '[NL11] [CR18] a call that fails takes nothing away, and nothing is sent that nobody did (%d)',
  async (phase) => {
    for (let calls = phase; calls < 120; calls += 4)
      for (const fault of [`${calls} 1 looks`, ...(calls < 32 ? [`${calls} 1`] : [])]) {
        const { trace } = await replay(script(fault))
        const sent = trace.filter((line) => /ann sent/.test(line) && Number(line.split(' ')[0]) > 10_000)
        expect(sent, fault).toEqual([])
      }
  },
)

/** One removes a directory with all in it, and maybe puts a file in its place, and her disk does not answer. */
const removal = (fault: string, then: string): string => `
  seed 3
  devices ann bob
  bob mkdir d
  bob create d/f
  bob create d/g
  bob mkdir d/e
  bob create d/e/h
  wait 4000
  fail ann ${fault} looks
  ann rmdir d
  ${then}
  wait 9000
`

test.each([
  ['', /^\d+ in the end: \{\}$/],
  ['ann create d', /^\d+ in the end: \{"d":"[0-9a-f]{64}"\}$/],
])('[NR12] a directory that was removed is gone, whatever look at it fails (then: %s)', async (then, end) => {
  for (let calls = 20; calls < 44; calls++)
    for (const failures of [1, 2]) {
      const fault = `${calls} ${failures}`
      const { trace } = await replay(removal(fault, then))
      expect(
        trace.find((line) => /in the end/.test(line)),
        fault,
      ).toMatch(end)
    }
})
