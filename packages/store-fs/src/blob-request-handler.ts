import { createHash } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { BLOB_BYTES_MAX, type BlobId, type ByteRange, type SpaceName } from '@tidemark/protocol'
import type { BlobFiles, OpenBlob } from './blob-files.js'
import { BodyMemory } from './body-memory.js'
import type { GrantedRequest, GrantSigner } from './grant-signer.js'
import { answerError, HttpError } from './http-error.js'
import type { IncomingFile } from './incoming.js'
import { parseRange } from './range-header.js'
import { DisconnectedError, RequestBody } from './request-body.js'
import { Slots } from './slots.js'

/** Bounds of uploads over HTTP. */
export interface UploadLimits {
  /** Bodies received at once; others wait unread. @default 64: each has one open file and one buffer */
  readonly concurrentMax: number
  /** Requests that wait; more are answered 503. @default 1,024 */
  readonly waitingMax: number
  /** A body that brings no byte for this long is given up, milliseconds. @default 30,000 */
  readonly idleTimeoutMs: number
  /**
   * Bytes of bodies kept in memory for `onStored`, together. Beyond it a body goes through a small buffer
   * and is read back from the file: a slow sender holds nobody up. @default 48 MiB
   */
  readonly keptBytesMax: number
}

const DEFAULT_LIMITS: UploadLimits = {
  concurrentMax: 64,
  waitingMax: 1_024,
  idleTimeoutMs: 30_000,
  keptBytesMax: 48 * 1024 * 1024,
}

/** Bytes a file is written or read at once. */
const PIECE_BYTES = 256 * 1024
/** The same of a body that is in memory anyway: fewer trips to the disk. */
const KEPT_PIECE_BYTES = 1024 * 1024
/** Bodies that are read back for `onStored` at once. */
const READ_BACK_MAX = 2

export interface BlobRequestOptions {
  readonly onStored?: (space: SpaceName, id: BlobId, bytes: Uint8Array) => void | Promise<void>
  readonly onError?: (error: unknown) => void
  readonly uploads?: Partial<UploadLimits>
}

type PutRequest = Extract<GrantedRequest, { method: 'PUT' }>

/** PUT, GET and HEAD of granted blobs over node:http. */
export class BlobRequestHandler {
  readonly #limits: UploadLimits
  readonly #uploads: Slots
  readonly #readBacks = new Slots(READ_BACK_MAX, Number.POSITIVE_INFINITY)
  readonly #kept: BodyMemory

  constructor(
    private readonly files: BlobFiles,
    private readonly signer: GrantSigner,
    private readonly clock: { nowMs(): number },
    private readonly options: BlobRequestOptions,
  ) {
    this.#limits = { ...DEFAULT_LIMITS, ...options.uploads }
    this.#uploads = new Slots(this.#limits.concurrentMax, this.#limits.waitingMax)
    this.#kept = new BodyMemory(this.#limits.keptBytesMax)
  }

  async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      const method = request.method ?? ''
      if (method !== 'PUT' && method !== 'GET' && method !== 'HEAD') {
        throw new HttpError(405, 'METHOD_NOT_ALLOWED', `${method} is not allowed here`, {
          allow: 'PUT, GET, HEAD',
        })
      }
      const granted = this.signer.verify(request.url ?? '', this.clock.nowMs())
      if (granted.method !== (method === 'PUT' ? 'PUT' : 'GET')) {
        throw new HttpError(403, 'BAD_SIGNATURE', 'the grant is for another method')
      }
      if (granted.method === 'PUT') await this.#put(request, response, granted)
      else await this.#get(request, response, granted)
    } catch (error) {
      answerError(request, response, error, this.options.onError)
    }
  }

  async #put(request: IncomingMessage, response: ServerResponse, granted: PutRequest): Promise<void> {
    checkLength(request, granted.length)
    const gone = new AbortController()
    response.once('close', () => gone.abort(new DisconnectedError()))
    const release = await this.#uploads.take(gone.signal)
    if (!release) throw new HttpError(503, 'BUSY', 'too many uploads wait', { 'retry-after': '1' })
    const kept = this.options.onStored && this.#kept.tryTake(granted.length)
    try {
      const body =
        kept?.subarray(0, granted.length) ?? Buffer.allocUnsafeSlow(Math.min(granted.length, PIECE_BYTES))
      const existed = (await this.files.stat(granted.space, granted.id)) === granted.length
      await this.files.receive(granted.space, granted.id, (file) =>
        this.#receive(request, granted, file, body, kept !== undefined),
      )
      await this.#announce(granted, kept && body)
      response.writeHead(existed ? 200 : 201, { 'content-length': '0' }).end()
    } finally {
      if (kept) this.#kept.give(kept)
      release()
    }
  }

  /**
   * Writes the body to the file in pieces and hashes it in passing.
   * With `keep` the buffer holds the whole body afterwards, else each piece overwrites the one before.
   * @returns the SHA-256 in hex. @throws {DisconnectedError} the sender went away.
   */
  async #receive(
    request: IncomingMessage,
    granted: PutRequest,
    file: IncomingFile,
    buffer: Buffer,
    keep: boolean,
  ): Promise<string> {
    const hash = createHash('sha256')
    const { length } = granted
    const body = new RequestBody(request, buffer, granted, this.#limits.idleTimeoutMs)
    const pieceBytes = keep ? KEPT_PIECE_BYTES : PIECE_BYTES
    try {
      for (let done = 0; done < length; ) {
        const start = keep ? done : 0
        const end = start + Math.min(pieceBytes, length - done)
        await body.filled(end)
        const piece = buffer.subarray(start, end)
        hash.update(piece)
        await file.append(piece)
        done += piece.length
        if (!keep) body.again()
      }
      await body.end()
      return hash.digest('hex')
    } finally {
      body.close()
    }
  }

  async #announce({ space, id, length }: PutRequest, kept: Uint8Array | undefined): Promise<void> {
    const { onStored } = this.options
    if (!onStored) return
    if (kept) return onStored(space, id, kept)
    const release = await this.#readBacks.take()
    try {
      await onStored(space, id, await this.files.read(space, id, { offset: 0, length }))
    } finally {
      release?.()
    }
  }

  async #get(request: IncomingMessage, response: ServerResponse, granted: GrantedRequest): Promise<void> {
    const blob = await this.files.openBlob(granted.space, granted.id)
    try {
      const wanted = parseRange(request.headers.range, blob.size)
      if (wanted === 'unsatisfiable') {
        throw new HttpError(416, 'RANGE_NOT_SATISFIABLE', `the blob has ${blob.size} bytes`, {
          'content-range': `bytes */${blob.size}`,
        })
      }
      const range = wanted === 'all' ? { offset: 0, length: blob.size } : wanted
      const end = range.offset + range.length
      response.writeHead(wanted === 'all' ? 200 : 206, {
        'accept-ranges': 'bytes',
        'cache-control': 'private, immutable, max-age=31536000',
        'content-length': range.length,
        'content-type': 'application/octet-stream',
        etag: `"${granted.id}"`,
        ...(wanted === 'all' ? {} : { 'content-range': `bytes ${range.offset}-${end - 1}/${blob.size}` }),
      })
      if (request.method === 'GET') await send(blob, range, response)
      response.end()
    } finally {
      await blob.close()
    }
  }
}

function checkLength(request: IncomingMessage, granted: number): void {
  const header = request.headers['content-length']
  if (
    header === undefined ||
    request.headers['transfer-encoding'] !== undefined ||
    !/^\d{1,15}$/.test(header)
  ) {
    throw new HttpError(411, 'LENGTH_REQUIRED', 'a Content-Length is required', { connection: 'close' })
  }
  const length = Number(header)
  if (length > BLOB_BYTES_MAX) {
    throw new HttpError(413, 'LIMIT', `a blob has at most ${BLOB_BYTES_MAX} bytes`, { connection: 'close' })
  }
  if (length !== granted) throw new HttpError(400, 'BLOB_MISMATCH', `the grant is for ${granted} bytes`)
}

/** Reads the next piece while the last one is on its way: two buffers, however long the range. */
async function send(blob: OpenBlob, { offset, length }: ByteRange, response: ServerResponse): Promise<void> {
  const pieceBytes = Math.min(length, PIECE_BYTES)
  const buffers = [Buffer.allocUnsafeSlow(pieceBytes), Buffer.allocUnsafeSlow(pieceBytes)]
  const sent: Promise<void>[] = []
  const end = offset + length
  for (let at = offset, turn = 0; at < end && !response.destroyed; turn ^= 1) {
    await sent[turn]
    const piece = await blob.read({ offset: at, length: Math.min(pieceBytes, end - at) }, buffers[turn]!)
    at += piece.length
    sent[turn] = written(response, piece)
  }
}

/** Resolves when the bytes are with the system and may be overwritten, or nobody reads any more. */
function written(response: ServerResponse, bytes: Uint8Array): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      response.off('close', done)
      resolve()
    }
    response.on('close', done)
    response.write(bytes, done)
    if (response.destroyed) done()
  })
}
