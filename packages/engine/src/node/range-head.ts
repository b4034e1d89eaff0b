import type { ByteRange } from '@tidemark/protocol'

/**
 * Whether this head, without the empty line at its end, announces exactly this range, as it is, over a
 * connection that stays.
 */
export function isExactRange(head: string, { offset, length }: ByteRange): boolean {
  const [status = '', ...lines] = head.split('\r\n')
  if (!/^HTTP\/1\.1 206( |$)/.test(status)) return false
  const headers = new Map<string, string>()
  for (const line of lines) {
    const colon = line.indexOf(':')
    const name = line.slice(0, Math.max(colon, 0)).toLowerCase()
    // Two of a name that counts may contradict each other.
    if (!/^[\w-]+$/.test(name) || (COUNTING.has(name) && headers.has(name))) return false
    headers.set(name, line.slice(colon + 1).trim())
  }
  return (
    headers.get('content-length') === String(length) &&
    headers.get('content-range')?.startsWith(`bytes ${offset}-${offset + length - 1}/`) === true &&
    !headers.has('transfer-encoding') &&
    !headers.has('content-encoding') &&
    headers.get('connection')?.toLowerCase() !== 'close'
  )
}

const COUNTING: ReadonlySet<string> = new Set([
  'content-length',
  'content-range',
  'transfer-encoding',
  'content-encoding',
  'connection',
])
