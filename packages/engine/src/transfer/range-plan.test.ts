import {
  BLOB_BYTES_MAX,
  type BlobId,
  CHUNK_BYTES_MAX,
  type ChunkId,
  type ChunkPlace,
  type Grant,
} from '@tidemark/protocol'
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

/** A chunk of `length` bytes that is stored in `storedLength`. */
const packed = (id: string, offset: number, storedLength: number, length: number): ChunkPlace => ({
  ...place(id, offset, storedLength),
  codec: 1,
  length,
})

test('ranges of compressed chunks are over stored bytes, and bounded by plain ones too', () => {
  const chunks = [packed('x', 0, 10, 50), packed('y', 10, 10, 50), packed('z', 20, 5, 40), place('p', 25, 60)]
  expect(planned(chunks)).toEqual([
    ['a', 0, 20, 'xy'],
    ['a', 20, 65, 'zp'],
  ])
  const bounds = { gapBytesMax: 0, rangeBytesMax: 100 }
  const lengths = (of: readonly ChunkPlace[]): number[] =>
    planRanges({ blobs: BLOBS, chunks: of }, () => true, bounds).map(({ inflatedLength }) => inflatedLength)
  expect(lengths(chunks)).toEqual([100, 100])
  expect(lengths([place('x', 0, 10), place('y', 10, 10)]), 'nothing is inflated').toEqual([0])
  expect(planned([packed('l', 0, 30, 5_000)])).toEqual([['a', 0, 30, 'l']])
})

test('a codec of a later version, and lengths that none has, are no place', () => {
  const wrong = [
    { ...packed('x', 0, 10, 50), codec: 2 },
    packed('x', 0, 50, 50),
    packed('x', 0, 0, 50),
    packed('x', 0, 10, CHUNK_BYTES_MAX + 1),
    packed('x', BLOB_BYTES_MAX - 9, 10, 50),
    { ...place('x', 0, 10), length: 11 },
  ]
  expect(wrong.map((chunk) => planned([chunk]))).toEqual(wrong.map(() => []))
})

test('places that overlap, as only a liar tells them, are ranges of their own; a chunk has one place', () => {
  const chunks = [place('x', 0, 10), place('y', 5, 10), place('x', 50, 10)]
  expect(planned(chunks, 50)).toEqual([
    ['a', 0, 10, 'x'],
    ['a', 5, 10, 'y'],
  ])
})
