import type { S3Client } from '@aws-sdk/client-s3'
import { SignatureV4 } from '@smithy/signature-v4'
import { type BlobId, type Grant, hexToBytes, StoreError } from '@tidemark/protocol'
import { mustBeBound } from './must-be-bound.js'
import type { Bind } from './self-test-report.js'

export const PAYLOAD_HASH = 'x-amz-content-sha256'
export const CHECKSUM = 'x-amz-checksum-sha256'
export const CREATE_ONLY = 'if-none-match'

/** These must not move to the query: a checksum there is checked by nobody. */
const BOUND_HEADERS: ReadonlySet<string> = new Set([PAYLOAD_HASH, CHECKSUM])

export interface PutTerms {
  readonly id: BlobId
  /** Bytes. */
  readonly length: number
  readonly bind: Bind
  /** The store answers 412 where the key is taken. */
  readonly createOnly: boolean
}

export interface Moment {
  /** Milliseconds since 1970. */
  readonly nowMs: number
  /** Milliseconds; whole seconds count. */
  readonly ttlMs: number
}

/**
 * Signs grants: presigned URLs of Signature Version 4 that bind hash and length of the body. Signed here and
 * not by the SDK's presigner, which replaces every payload hash by UNSIGNED-PAYLOAD.
 */
export class GrantSigner {
  readonly #client: S3Client
  readonly #bucketUrl: URL
  readonly #signature: SignatureV4

  /** @param bucketUrl Where the bucket is for those who hold a grant. */
  constructor(client: S3Client, bucketUrl: URL) {
    this.#client = client
    this.#bucketUrl = bucketUrl
    this.#signature = new SignatureV4({
      service: 's3',
      region: client.config.region,
      credentials: client.config.credentials,
      sha256: client.config.sha256,
      uriEscapePath: false,
      applyChecksum: false,
    })
  }

  /** @throws {StoreError} no credentials. */
  async put(key: string, terms: PutTerms, moment: Moment): Promise<Grant> {
    const sent: Record<string, string> = {}
    if (terms.bind !== 'checksum') sent[PAYLOAD_HASH] = terms.id
    if (terms.bind !== 'payload-hash') sent[CHECKSUM] = Buffer.from(hexToBytes(terms.id)).toString('base64')
    if (terms.createOnly) sent[CREATE_ONLY] = '*'
    const signed = { ...sent, 'content-length': String(terms.length) }
    // Without it the hash of an empty body would be bound.
    const unsigned = terms.bind === 'checksum' ? { [PAYLOAD_HASH]: 'UNSIGNED-PAYLOAD' } : {}
    const unhoistableHeaders = new Set(terms.bind === 'checksum' ? [CHECKSUM] : BOUND_HEADERS)
    const grant = await this.#sign('PUT', key, { ...signed, ...unsigned }, moment, unhoistableHeaders)
    mustBeBound(grant.url, Object.keys(signed))
    // The sender's HTTP client writes the length of what it sends.
    return { ...grant, headers: sent }
  }

  /** @throws {StoreError} no credentials. */
  async get(key: string, moment: Moment): Promise<Grant> {
    return this.#sign('GET', key, { [PAYLOAD_HASH]: 'UNSIGNED-PAYLOAD' }, moment, new Set())
  }

  async #sign(
    method: Grant['method'],
    key: string,
    headers: Record<string, string>,
    { nowMs, ttlMs }: Moment,
    unhoistableHeaders: Set<string>,
  ): Promise<Grant> {
    const { protocol, host, hostname, port, pathname, origin } = this.#bucketUrl
    const { expiration } = await this.#credentials()
    const expiresIn = Math.floor(ttlMs / 1_000)
    // The signature knows whole seconds.
    const signingMs = Math.floor(nowMs / 1_000) * 1_000
    const signed = await this.#signature.presign(
      {
        method,
        protocol,
        hostname,
        ...(port === '' ? {} : { port: Number(port) }),
        path: `${pathname.replace(/\/$/, '')}/${key}`,
        headers: { host, ...headers },
        query: {},
      },
      { signingDate: new Date(signingMs), expiresIn, unhoistableHeaders },
    )
    const query = new URLSearchParams(signed.query as Record<string, string>)
    const url = `${origin}${signed.path}?${query.toString()}`
    // A grant ends with the keys that signed it.
    const expiresAtMs = Math.min(
      signingMs + expiresIn * 1_000,
      expiration?.getTime() ?? Number.POSITIVE_INFINITY,
    )
    return { method, url, headers: {}, expiresAtMs }
  }

  async #credentials(): Promise<{ readonly expiration?: Date }> {
    try {
      return await this.#client.config.credentials()
    } catch (error) {
      throw new StoreError(`blob store: no keys: ${(error as Error).message}`, undefined, { cause: error })
    }
  }
}
