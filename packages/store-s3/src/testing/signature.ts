import { createHash, createHmac, timingSafeEqual } from 'node:crypto'
import { S3Error } from './s3-error.js'
import { headerValue, queryValue, type S3Request } from './s3-request.js'
import type { Weakness } from './weakness.js'

/** A request that is dated further from our clock is refused, milliseconds. */
const SKEW_MAX_MS = 15 * 60_000
const EXPIRES_S_MAX = 7 * 86_400

export interface SignatureTerms {
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string }
  readonly region: string
  readonly nowMs: number
  readonly weaknesses: ReadonlySet<Weakness>
}

interface Claim {
  readonly credential: string
  readonly signedHeaders: readonly string[]
  readonly signature: string
  /** `20261127T083000Z`. */
  readonly date: string
  /** Seconds; only in a URL. */
  readonly expires: number | undefined
}

/**
 * Signature Version 4, in the header or in the URL.
 * @returns the payload hash that was signed: 64 hex digits, or UNSIGNED-PAYLOAD.
 * @throws {S3Error} 400, 403, 501.
 */
export function verifySignature(request: S3Request, terms: SignatureTerms): string {
  const isPresigned = queryValue(request, 'X-Amz-Signature') !== undefined
  const claim = isPresigned ? claimOfUrl(request) : claimOfHeader(request)
  const [accessKeyId, day, region, service, end] = claim.credential.split('/')
  if (
    service !== 's3' ||
    end !== 'aws4_request' ||
    region !== terms.region ||
    !claim.date.startsWith(`${day}T`)
  ) {
    throw new S3Error(400, 'AuthorizationHeaderMalformed', `the scope is ${claim.credential}`)
  }
  if (accessKeyId !== terms.credentials.accessKeyId) throw new S3Error(403, 'InvalidAccessKeyId')
  if (!terms.weaknesses.has('ignores-expiry')) mustBeTimely(claim, terms.nowMs)
  mustSignWhatCounts(request, claim, terms.weaknesses)
  const isUnsigned = isPresigned && terms.weaknesses.has('knows-no-hash-in-urls')
  const payloadHash = isUnsigned ? 'UNSIGNED-PAYLOAD' : payloadHashOf(request, isPresigned)
  const expected = signatureOf(request, claim, payloadHash, terms)
  const isRight = timingSafeEqual(hash(claim.signature), hash(expected))
  if (!isRight && !terms.weaknesses.has('ignores-signatures')) throw new S3Error(403, 'SignatureDoesNotMatch')
  return payloadHash
}

function claimOfHeader(request: S3Request): Claim {
  const text = headerValue(request, 'authorization')
  if (text === undefined) throw new S3Error(403, 'AccessDenied', 'nobody may come without a signature')
  const [, credential, signedHeaders, signature] =
    /^AWS4-HMAC-SHA256 Credential=([^,]+), ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})$/.exec(text) ??
    []
  const date = headerValue(request, 'x-amz-date')
  if (!credential || !signedHeaders || !signature || !date)
    throw new S3Error(400, 'AuthorizationHeaderMalformed')
  return { credential, signedHeaders: signedHeaders.split(';'), signature, date, expires: undefined }
}

function claimOfUrl(request: S3Request): Claim {
  const value = (name: string): string => {
    const found = queryValue(request, name)
    if (found === undefined) throw new S3Error(400, 'AuthorizationQueryParametersError', `${name} is missing`)
    return found
  }
  if (value('X-Amz-Algorithm') !== 'AWS4-HMAC-SHA256')
    throw new S3Error(400, 'AuthorizationQueryParametersError')
  const expires = Number(value('X-Amz-Expires'))
  if (!Number.isInteger(expires) || expires < 0 || expires > EXPIRES_S_MAX) {
    throw new S3Error(400, 'AuthorizationQueryParametersError', 'X-Amz-Expires is out of its bounds')
  }
  return {
    credential: value('X-Amz-Credential'),
    signedHeaders: value('X-Amz-SignedHeaders').split(';'),
    signature: value('X-Amz-Signature'),
    date: value('X-Amz-Date'),
    expires,
  }
}

function mustBeTimely({ date, expires }: Claim, nowMs: number): void {
  const [, y, mo, d, h, mi, s] = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(date) ?? []
  const dateMs = Date.parse(`${y}-${mo}-${d}T${h}:${mi}:${s}Z`)
  if (Number.isNaN(dateMs)) throw new S3Error(403, 'AccessDenied', 'no date of Signature Version 4')
  if (expires === undefined) {
    if (Math.abs(nowMs - dateMs) > SKEW_MAX_MS) throw new S3Error(403, 'RequestTimeTooSkewed')
    return
  }
  if (dateMs - nowMs > SKEW_MAX_MS) throw new S3Error(403, 'AccessDenied', 'Request is not valid yet')
  if (nowMs >= dateMs + expires * 1_000) throw new S3Error(403, 'AccessDenied', 'Request has expired')
}

function mustSignWhatCounts(request: S3Request, { signedHeaders }: Claim, weak: ReadonlySet<Weakness>): void {
  const unsigned = Object.keys(request.headers).filter(
    (name) => (name === 'host' || name.startsWith('x-amz-')) && !signedHeaders.includes(name),
  )
  if (unsigned.length === 0 || weak.has('takes-unsigned-headers')) return
  throw new S3Error(
    403,
    'AccessDenied',
    `There were headers present in the request which were not signed: ${unsigned.join(', ')}`,
  )
}

function payloadHashOf(request: S3Request, isPresigned: boolean): string {
  const header = headerValue(request, 'x-amz-content-sha256')
  // In a query a hash counts for nothing: then the signer and we disagree.
  if (header === undefined && isPresigned) return 'UNSIGNED-PAYLOAD'
  if (header === undefined) throw new S3Error(400, 'InvalidRequest', 'x-amz-content-sha256 is missing')
  if (header.startsWith('STREAMING-')) throw new S3Error(501, 'NotImplemented', header)
  if (header !== 'UNSIGNED-PAYLOAD' && !/^[0-9a-f]{64}$/.test(header))
    throw new S3Error(400, 'InvalidArgument')
  return header
}

function signatureOf(request: S3Request, claim: Claim, payloadHash: string, terms: SignatureTerms): string {
  const query = request.query
    .filter(([name]) => name !== 'X-Amz-Signature')
    .map(([name, value]) => [encode(name), encode(value)] as const)
    .sort(([a, x], [b, y]) => order(a, b) || order(x, y))
    .map((pair) => pair.join('='))
  const headers = claim.signedHeaders.map(
    (name) => `${name}:${(headerValue(request, name) ?? '').trim().replace(/ +/g, ' ')}\n`,
  )
  const canonical = [
    request.method,
    request.rawPath
      .split('/')
      .map((part) => encode(decodeURIComponent(part)))
      .join('/'),
    query.join('&'),
    headers.join(''),
    claim.signedHeaders.join(';'),
    payloadHash,
  ].join('\n')
  const [day = '', region = ''] = claim.credential.split('/').slice(1)
  const scope = `${day}/${region}/s3/aws4_request`
  const text = ['AWS4-HMAC-SHA256', claim.date, scope, hash(canonical).toString('hex')].join('\n')
  const steps = [day, region, 's3', 'aws4_request', text]
  const secret = Buffer.from(`AWS4${terms.credentials.secretAccessKey}`)
  return steps.reduce((key, step) => createHmac('sha256', key).update(step).digest(), secret).toString('hex')
}

const hash = (text: string): Buffer => createHash('sha256').update(text).digest()

const order = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

const encode = (text: string): string =>
  encodeURIComponent(text).replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`)
