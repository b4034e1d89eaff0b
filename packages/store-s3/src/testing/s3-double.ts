import { createHash } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { type CorsRule, corsHeaders } from './cors.js'
import { type Fault, Faults } from './faults.js'
import { getObject } from './get-object.js'
import { listObjects } from './list-objects.js'
import { ObjectFiles } from './object-files.js'
import { putObject } from './put-object.js'
import { S3Error } from './s3-error.js'
import { parseRequest, type S3Request } from './s3-request.js'
import { verifySignature } from './signature.js'
import type { Weakness } from './weakness.js'

/** With the weakness `lists-late`, milliseconds. */
const LISTED_AFTER_MS = 60_000

export interface S3DoubleOptions {
  /** Created if it is missing. Opened again, it has the same objects. */
  readonly directory: string
  /** @default ['bucket'] */
  readonly buckets?: readonly string[]
  /** @default { accessKeyId: 'double', secretAccessKey: 'double-secret' } */
  readonly credentials?: { readonly accessKeyId: string; readonly secretAccessKey: string }
  /** @default 'us-east-1' */
  readonly region?: string
  /** TCP port on 127.0.0.1. @default 0: a free one */
  readonly port?: number
  /** Milliseconds since 1970. @default the system's clock */
  readonly clock?: { nowMs(): number }
  readonly cors?: readonly CorsRule[]
  /** @default none: as strict as S3 */
  readonly weaknesses?: Iterable<Weakness>
  /** Told of every request, before anything is checked. */
  readonly onRequest?: (seen: SeenRequest) => void
}

export interface SeenRequest {
  readonly method: string
  readonly url: string
  readonly headers: IncomingHttpHeaders
}

/**
 * S3 in a process, for tests: path-style, on 127.0.0.1, objects on disk. It checks what S3 checks (Signature
 * Version 4 in header and URL, bound headers, payload hash, checksum, length, conditions, expiry) and can be
 * told to fail. What it does not know it answers with 501: no multipart, no versions, no copies.
 */
export class S3Double implements AsyncDisposable {
  /** What goes wrong next. */
  readonly faults = new Faults()
  readonly #options: S3DoubleOptions
  readonly #server: Server
  readonly #buckets: ReadonlyMap<string, ObjectFiles>
  readonly #weaknesses: ReadonlySet<Weakness>
  readonly #clock: { nowMs(): number }
  #port = 0

  static async start(options: S3DoubleOptions): Promise<S3Double> {
    const double = new S3Double(options)
    await new Promise<void>((resolve, reject) => {
      double.#server.once('error', reject)
      double.#server.listen(options.port ?? 0, '127.0.0.1', resolve)
    })
    double.#port = (double.#server.address() as AddressInfo).port
    return double
  }

  private constructor(options: S3DoubleOptions) {
    this.#options = options
    this.#weaknesses = new Set(options.weaknesses)
    this.#clock = options.clock ?? { nowMs: () => Date.now() }
    const names = options.buckets ?? ['bucket']
    this.#buckets = new Map(names.map((name) => [name, new ObjectFiles(join(options.directory, name))]))
    this.#server = createServer((message, response) => void this.#answer(message, response))
  }

  /** `http://127.0.0.1:<port>`. */
  get endpoint(): string {
    return `http://127.0.0.1:${this.#port}`
  }

  get credentials(): { readonly accessKeyId: string; readonly secretAccessKey: string } {
    return this.#options.credentials ?? { accessKeyId: 'double', secretAccessKey: 'double-secret' }
  }

  /** Keys of a bucket, ascending. */
  keys(bucket = 'bucket'): readonly string[] {
    return this.#bucket(bucket).keys()
  }

  /** An object that somebody put there past everything, without a checksum. */
  plant(key: string, bytes: Uint8Array, bucket = 'bucket'): void {
    const files = this.#bucket(bucket)
    const incoming = files.incoming()
    writeFileSync(incoming, bytes)
    const etag = `"${createHash('md5').update(bytes).digest('hex')}"`
    const modifiedMs = this.#clock.nowMs()
    files.commit(incoming, { key, length: bytes.length, etag, checksum: undefined, modifiedMs })
  }

  /** An object is gone, as if somebody had removed it. */
  lose(key: string, bucket = 'bucket'): void {
    if (!this.#bucket(bucket).remove(key)) throw new Error(`there is no ${key}`)
  }

  /** The first byte of a stored object flips; what is known of it stays as it was. */
  rot(key: string, bucket = 'bucket'): void {
    const path = this.#bucket(bucket).bytesPath(key)
    const bytes = readFileSync(path)
    bytes[0]! ^= 1
    writeFileSync(path, bytes)
  }

  /** Stops listening and ends every connection. */
  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve))
    this.#server.closeAllConnections()
    await closed
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #answer(message: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = '', url = '', headers } = message
    this.#options.onRequest?.({ method, url, headers })
    response.setHeader('date', new Date(this.#clock.nowMs()).toUTCString())
    try {
      const request = parseRequest(message)
      for (const [name, value] of Object.entries(corsHeaders(request, this.#options.cors ?? []))) {
        response.setHeader(name, value)
      }
      await this.#serve(request, message, response)
    } catch (error) {
      refuse(message, response, error)
    }
  }

  async #serve(request: S3Request, message: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.method === 'OPTIONS') return this.#preflight(response)
    const fault = this.faults.take(request)
    if (fault?.kind === 'status') {
      if (fault.retryAfterS !== undefined) response.setHeader('retry-after', String(fault.retryAfterS))
      throw new S3Error(fault.status, fault.code)
    }
    if (fault?.kind === 'silence') return
    const payloadHash = verifySignature(request, {
      credentials: this.credentials,
      region: this.#options.region ?? 'us-east-1',
      nowMs: this.#clock.nowMs(),
      weaknesses: this.#weaknesses,
    })
    const files = this.#bucket(request.bucket)
    if (request.key === '') {
      if (request.method !== 'GET') throw new S3Error(501, 'NotImplemented')
      const xml = listObjects(request, files, (modifiedMs) => this.#isListed(modifiedMs))
      response.writeHead(200, { 'content-type': 'application/xml' }).end(xml)
      return
    }
    if (request.method === 'GET' || request.method === 'HEAD') {
      await getObject(request, response, { files, weaknesses: this.#weaknesses, fault })
      return
    }
    const headers = await this.#change(request, message, files, payloadHash, fault)
    if (fault?.kind === 'drop-answer') {
      response.destroy()
      return
    }
    response.writeHead(request.method === 'PUT' ? 200 : 204, headers).end()
  }

  /** @returns the headers of the answer. */
  async #change(
    request: S3Request,
    message: IncomingMessage,
    files: ObjectFiles,
    payloadHash: string,
    fault: Fault | undefined,
  ): Promise<Record<string, string>> {
    if (request.query.some(([name]) => !/^(x-amz-|x-id$)/i.test(name)))
      throw new S3Error(501, 'NotImplemented')
    if (request.method === 'DELETE') {
      if (!this.#weaknesses.has('keeps-deleted')) files.remove(request.key)
      return {}
    }
    if (request.method !== 'PUT') throw new S3Error(501, 'NotImplemented')
    return putObject(request, message, {
      files,
      payloadHash,
      nowMs: () => this.#clock.nowMs(),
      weaknesses: this.#weaknesses,
      cutAfterBytes: fault?.kind === 'cut-request' ? fault.afterBytes : undefined,
    })
  }

  #preflight(response: ServerResponse): void {
    if (!response.hasHeader('access-control-allow-origin')) {
      throw new S3Error(403, 'AccessForbidden', 'CORSResponse: This CORS request is not allowed.')
    }
    response.writeHead(200).end()
  }

  #isListed(modifiedMs: number): boolean {
    return !this.#weaknesses.has('lists-late') || this.#clock.nowMs() - modifiedMs >= LISTED_AFTER_MS
  }

  #bucket(name: string): ObjectFiles {
    const files = this.#buckets.get(name)
    if (!files) throw new S3Error(404, 'NoSuchBucket')
    return files
  }
}

function refuse(message: IncomingMessage, response: ServerResponse, error: unknown): void {
  const failure = error instanceof S3Error ? error : new S3Error(500, 'InternalError', String(error))
  // A request is destroyed, too, when its body was read to the end.
  if (response.headersSent || (message.destroyed && !message.complete)) {
    response.destroy()
    return
  }
  const body = failure.toXml()
  response.writeHead(failure.status, {
    'content-type': 'application/xml',
    'content-length': Buffer.byteLength(body),
  })
  response.end(message.method === 'HEAD' ? undefined : body)
  // A client reads the answer only when its body has gone.
  message.resume()
}
