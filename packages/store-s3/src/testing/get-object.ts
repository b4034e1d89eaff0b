import { createReadStream } from 'node:fs'
import type { ServerResponse } from 'node:http'
import { Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { Fault } from './faults.js'
import type { ObjectFiles, StoredObject } from './object-files.js'
import { S3Error } from './s3-error.js'
import { headerValue, type S3Request } from './s3-request.js'
import type { Weakness } from './weakness.js'

export interface GetTerms {
  readonly files: ObjectFiles
  readonly weaknesses: ReadonlySet<Weakness>
  readonly fault: Fault | undefined
}

/** Answers GET and HEAD of an object, one range of it at most. */
export async function getObject(
  request: S3Request,
  response: ServerResponse,
  { files, weaknesses, fault }: GetTerms,
): Promise<void> {
  const object = files.get(request.key)
  if (!object) throw new S3Error(404, 'NoSuchKey')
  const header = weaknesses.has('ignores-ranges') ? undefined : headerValue(request, 'range')
  const range = header === undefined ? undefined : rangeOf(header, object.length)
  const [first, end] = range ?? [0, object.length]
  response.writeHead(range ? 206 : 200, {
    'accept-ranges': 'bytes',
    ...(fault?.kind === 'short-answer' ? {} : { 'content-length': end - first }),
    'content-type': 'binary/octet-stream',
    etag: object.etag,
    'last-modified': new Date(object.modifiedMs).toUTCString(),
    ...(range ? { 'content-range': `bytes ${first}-${end - 1}/${object.length}` } : {}),
    ...checksumOf(request, object, range !== undefined),
  })
  if (request.method === 'HEAD' || end === first) {
    response.end()
    return
  }
  const bytes = createReadStream(files.bytesPath(request.key), { start: first, end: end - 1 })
  if (fault) await pipeline(bytes, spoiling(fault, response), response)
  else await pipeline(bytes, response)
}

/** S3 tells the checksum of a whole object, and only who asks. */
function checksumOf(
  request: S3Request,
  { checksum }: StoredObject,
  isRange: boolean,
): Record<string, string> {
  const isAsked = headerValue(request, 'x-amz-checksum-mode')?.toUpperCase() === 'ENABLED'
  if (checksum === undefined || !isAsked || isRange) return {}
  return { 'x-amz-checksum-sha256': checksum, 'x-amz-checksum-type': 'FULL_OBJECT' }
}

/** @returns first byte and the one after the last; `undefined` for what is to be ignored. @throws {S3Error} 416 */
function rangeOf(header: string, length: number): readonly [number, number] | undefined {
  const [, first = '', last = ''] = /^bytes=(\d*)-(\d*)$/.exec(header) ?? []
  if (first === '' && last === '') return undefined
  const begin = first === '' ? Math.max(0, length - Number(last)) : Number(first)
  const end = first === '' || last === '' ? length : Math.min(length, Number(last) + 1)
  if (first !== '' && last !== '' && Number(last) < begin) return undefined
  if (begin >= length || (first === '' && Number(last) === 0)) throw new S3Error(416, 'InvalidRange')
  return [begin, end]
}

/** A body on its way out, as a fault has it. */
function spoiling(fault: Fault, response: ServerResponse): Transform {
  let sent = 0
  return new Transform({
    transform(part: Buffer, _encoding, done) {
      if (fault.kind === 'wrong-bytes' && sent === 0) part[0]! ^= 1
      if (fault.kind === 'short-answer') {
        const rest = part.subarray(0, Math.max(0, fault.afterBytes - sent))
        sent += rest.length
        return done(null, rest)
      }
      if (fault.kind !== 'cut-answer' || sent + part.length <= fault.afterBytes) {
        sent += part.length
        return done(null, part)
      }
      // What goes before the cut is to arrive.
      response.write(part.subarray(0, fault.afterBytes - sent), () => response.destroy())
      return undefined
    },
  })
}
