import type { BlobId, ChunkId, ChunkPlace, Grant } from '@tidemark/protocol'
import { expect, test } from 'vitest'
import { planRanges } from './range-plan.js'

const grant: Grant = { method: 'GET', url: 'memory:', headers: {}, expiresAtMs: 0 }
const BLOBS = ['a', 'b'].map((id) => ({ id: id as BlobId, grant }))

const place = (id: string, offset: number, length: number, blob = 0): ChunkPlace => ({
  id: id as ChunkId,
  blob,
  offset,
  storedLength: length,
  codec: 0,
  length,
})

function planned(chunks: readonly ChunkPlace[], gapBytesMax = 0, rangeBytesMax = 100): unknown[] {
  const ranges = planRanges({ blobs: BLOBS, chunks }, () => true, { gapBytesMax, rangeBytesMax })
  return ranges.map(({ blob, offset, length, chunks }) => [
    blob,
    offset,
    length,
    chunks.map(({ id }) => id).join(''),
  ])
}

test('neighbours in one blob become one range, in whatever order they are told', () => {
  const chunks = [place('y', 10, 5), place('z', 15, 20), place('x', 0, 10), place('o', 35, 5, 1)]
  expect(planned(chunks)).toEqual([
    ['a', 0, 35, 'xyz'],
    ['b', 35, 5, 'o'],
  ])
})

test('a gap is read over up to its bound, and no further', () => {
  const chunks = [place('x', 0, 10), place('y', 14, 10), place('z', 29, 10)]
  expect(planned(chunks)).toHaveLength(3)
  expect(planned(chunks, 4)).toEqual([
    ['a', 0, 24, 'xy'],
    ['a', 29, 10, 'z'],
  ])
  expect(planned(chunks, 5)).toEqual([['a', 0, 39, 'xyz']])
})

test('a range ends at its bound; one longer chunk goes alone', () => {
  const chunks = [place('x', 0, 60), place('y', 60, 40), place('z', 100, 1), place('l', 101, 500)]
  expect(planned(chunks)).toEqual([
    ['a', 0, 100, 'xy'],
    ['a', 100, 1, 'z'],
    ['a', 101, 500, 'l'],
  ])
})

test('places that overlap, as only a liar tells them, are ranges of their own; a chunk has one place', () => {
  const chunks = [place('x', 0, 10), place('y', 5, 10), place('x', 50, 10)]
  expect(planned(chunks, 50)).toEqual([
    ['a', 0, 10, 'x'],
    ['a', 5, 10, 'y'],
  ])
})
