import type { ByteRange } from '@tidemark/protocol'

/**
 * Reads an HTTP `Range` header against a body of `size` bytes (RFC 9110, 14.2).
 * @returns the range; `'all'` where the header is absent or is to be ignored (another unit, several
 *   ranges, bad syntax); `'unsatisfiable'` where no byte of it exists.
 */
export function parseRange(header: string | undefined, size: number): ByteRange | 'all' | 'unsatisfiable' {
  const match = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header ?? '')
  if (!match) return 'all'
  const [, first, last] = match as unknown as [string, string, string]
  if (first === '' && last === '') return 'all'
  if (first === '') {
    const length = Math.min(Number(last), size)
    return length === 0 ? 'unsatisfiable' : { offset: size - length, length }
  }
  const offset = Number(first)
  const end = last === '' ? size - 1 : Math.min(Number(last), size - 1)
  if (last !== '' && Number(last) < offset) return 'all'
  if (offset >= size) return 'unsatisfiable'
  return { offset, length: end - offset + 1 }
}
