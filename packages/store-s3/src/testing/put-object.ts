import { rmSync } from 'node:fs'
import type { IncomingMessage } from 'node:http'
import type { ObjectFiles } from './object-files.js'
import { receiveBody } from './receive-body.js'
import { S3Error } from './s3-error.js'
import { headerValue, type S3Request } from './s3-request.js'
import type { Weakness } from './weakness.js'

const CHECKSUM = 'x-amz-checksum-sha256'

export interface PutTerms {
  readonly files: ObjectFiles
  /** As it was signed. */
  readonly payloadHash: string
  readonly nowMs: () => number
  readonly weaknesses: ReadonlySet<Weakness>
  readonly cutAfterBytes: number | undefined
}

/** Stores exactly the bytes that every header promises, or nothing. @returns the headers of the answer. */
export async function putObject(
  request: S3Request,
  message: IncomingMessage,
  { files, payloadHash, nowMs, weaknesses, cutAfterBytes }: PutTerms,
): Promise<Record<string, string>> {
  mustBeUnderstood(request, weaknesses)
  const createOnly = isCreateOnly(request) && !weaknesses.has('ignores-conditions')
  const mustBeFree = (): void => {
    if (createOnly && files.get(request.key)) throw new S3Error(412, 'PreconditionFailed')
  }
  mustBeFree()
  const incoming = files.incoming()
  try {
    const body = await receiveBody(message, incoming, cutAfterBytes)
    const isSigned = payloadHash === 'UNSIGNED-PAYLOAD' || payloadHash === body.sha256.toString('hex')
    if (!isSigned && !weaknesses.has('ignores-payload-hash'))
      throw new S3Error(400, 'XAmzContentSHA256Mismatch')
    const checksum = weaknesses.has('ignores-checksum') ? undefined : headerValue(request, CHECKSUM)
    if (checksum !== undefined && checksum !== body.sha256.toString('base64'))
      throw new S3Error(400, 'BadDigest')
    const md5 = headerValue(request, 'content-md5')
    if (md5 !== undefined && md5 !== body.md5.toString('base64')) throw new S3Error(400, 'BadDigest')
    // Again: somebody else may have been faster.
    mustBeFree()
    const etag = `"${body.md5.toString('hex')}"`
    const object = { key: request.key, length: body.length, etag, checksum, modifiedMs: nowMs() }
    files.commit(incoming, object)
    return {
      etag,
      ...(checksum === undefined ? {} : { [CHECKSUM]: checksum, 'x-amz-checksum-type': 'FULL_OBJECT' }),
    }
  } finally {
    rmSync(incoming, { force: true })
  }
}

function mustBeUnderstood(request: S3Request, weaknesses: ReadonlySet<Weakness>): void {
  if (headerValue(request, 'content-length') === undefined) throw new S3Error(411, 'MissingContentLength')
  if (headerValue(request, 'content-encoding')?.includes('aws-chunked'))
    throw new S3Error(501, 'NotImplemented')
  for (const name of Object.keys(request.headers)) {
    const isOther = name.startsWith('x-amz-checksum-') && name !== CHECKSUM
    if (isOther || name === 'x-amz-copy-source') throw new S3Error(501, 'NotImplemented', name)
  }
  if (weaknesses.has('refuses-checksum') && headerValue(request, CHECKSUM) !== undefined) {
    throw new S3Error(400, 'InvalidRequest', 'no such checksum')
  }
}

function isCreateOnly(request: S3Request): boolean {
  const condition = headerValue(request, 'if-none-match')
  if (headerValue(request, 'if-match') !== undefined) throw new S3Error(501, 'NotImplemented', 'if-match')
  if (condition !== undefined && condition !== '*') throw new S3Error(501, 'NotImplemented', 'if-none-match')
  return condition === '*'
}
