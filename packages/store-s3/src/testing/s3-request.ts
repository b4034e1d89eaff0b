import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import { S3Error } from './s3-error.js'

/** A path-style request, taken apart; nothing is checked yet. */
export interface S3Request {
  readonly method: string
  readonly headers: IncomingHttpHeaders
  /** As it was sent. */
  readonly rawPath: string
  /** Name and value, decoded, in the order of the request. */
  readonly query: readonly (readonly [string, string])[]
  readonly bucket: string
  /** Empty where the request is about the bucket. */
  readonly key: string
}

/** @throws {S3Error} no path that S3 knows. */
export function parseRequest(message: IncomingMessage): S3Request {
  const target = message.url ?? ''
  const question = target.indexOf('?')
  const rawPath = question < 0 ? target : target.slice(0, question)
  const text = question < 0 ? '' : target.slice(question + 1)
  const [, bucket, key] = /^\/([^/]+)(?:\/(.*))?$/.exec(rawPath) ?? []
  if (bucket === undefined) throw new S3Error(501, 'NotImplemented', 'only path-style requests to a bucket')
  const query = text === '' ? [] : text.split('&').map(pairOf)
  const { method = '', headers } = message
  return { method, headers, rawPath, query, bucket: decode(bucket), key: decode(key ?? '') }
}

/** The value of a query parameter, whatever its case. */
export function queryValue(request: S3Request, name: string): string | undefined {
  return request.query.find(([each]) => each.toLowerCase() === name.toLowerCase())?.[1]
}

export function headerValue(request: S3Request, name: string): string | undefined {
  const value = request.headers[name]
  return Array.isArray(value) ? value.join(',') : value
}

function pairOf(text: string): readonly [string, string] {
  const equals = text.indexOf('=')
  return equals < 0 ? [decode(text), ''] : [decode(text.slice(0, equals)), decode(text.slice(equals + 1))]
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw new S3Error(400, 'InvalidURI')
  }
}
