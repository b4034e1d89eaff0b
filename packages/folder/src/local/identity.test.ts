import { MTIME_MS_MAX } from '@tidemark/protocol'
import { expect, test } from 'vitest'
import type { Fingerprint } from '../rows.js'
import { isRacy, mtimeMsOf } from './identity.js'

const MS = 1_000_000n
const NOW = 1_800_000_000_000

function stamped(mtimeMs: number, ctimeMs: number, fractionNs = 1n): Fingerprint {
  const ns = (ms: number) => (BigInt(ms) * MS + fractionNs).toString()
  const rest = { dev: '1', ino: '1', birthtimeNs: '1', size: 1, mode: 0o644, nlink: 1 }
  return { ...rest, mtimeNs: ns(mtimeMs), ctimeNs: ns(ctimeMs) }
}

test('a file that was changed less than 50 ms before or while it was read is racy', () => {
  expect(isRacy(stamped(NOW - 40, NOW - 40), NOW, NOW + 5)).toBe(true)
  expect(isRacy(stamped(NOW + 3, NOW + 3), NOW, NOW + 5)).toBe(true)
  expect(isRacy(stamped(NOW - 60, NOW - 60), NOW, NOW + 5)).toBe(false)
})

test('a file whose modification time is in the future is not racy for ever', () => {
  expect(isRacy(stamped(NOW + 86_400_000, NOW - 60), NOW, NOW + 5)).toBe(false)
  expect(isRacy(stamped(NOW + 86_400_000, NOW - 40), NOW, NOW + 5)).toBe(true)
})

test('where stamps are whole seconds the margin is two of them', () => {
  expect(isRacy(stamped(NOW - 1_000, NOW - 1_000, 0n), NOW, NOW + 5)).toBe(true)
  expect(isRacy(stamped(NOW - 3_000, NOW - 3_000, 0n), NOW, NOW + 5)).toBe(false)
})

test('a modification time of a disk is in whole milliseconds, and one that the protocol cannot say is the nearest that it can', () => {
  expect(mtimeMsOf(stamped(1_500, NOW, 999_999n))).toBe(1_500)
  expect(mtimeMsOf(stamped(MTIME_MS_MAX, NOW, 0n))).toBe(MTIME_MS_MAX)
  const last = 2n ** 63n * 1_000_000_000n
  expect(mtimeMsOf({ ...stamped(0, 0), mtimeNs: `${last}` })).toBe(MTIME_MS_MAX)
  expect(mtimeMsOf({ ...stamped(0, 0), mtimeNs: `${-last}` })).toBe(-MTIME_MS_MAX)
})
