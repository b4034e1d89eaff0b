import { connect, type Socket } from 'node:net'
import type { ByteRange } from '@tidemark/protocol'
import { isExactRange } from './range-head.js'

/** Room for a status line and headers. */
const HEAD_BYTES_MAX = 16 * 1024
/** A connection that nobody uses is closed after this, milliseconds: before common servers close it. */
const KEPT_MS = 3_000

export interface RangeReaderOptions {
  /** Connections to one store, at most. */
  readonly connectionsMax: number
  /** Silence after which a request is given up, milliseconds. */
  readonly idleTimeoutMs: number
}

/**
 * Ranges over plain HTTP, from the socket straight into the memory where they are wanted: a stream of parts
 * makes new memory for every 64 KiB, and the collector's work for it is more than that of the rest.
 *
 * It understands one answer: 206 with exactly the range, in one piece. Whatever else happens is somebody
 * else's to ask for again and to name.
 */
export class RangeReader {
  readonly #idle = new Map<string, RangeConnection[]>()
  readonly #open = new Map<string, Set<RangeConnection>>()

  constructor(private readonly options: RangeReaderOptions) {}

  /**
   * @param into Of `range.length` bytes. Not touched any more when this has resolved.
   * @returns whether `into` holds the range; never rejects.
   */
  async read(
    url: URL,
    headers: Readonly<Record<string, string>>,
    range: ByteRange,
    into: Uint8Array,
    signal: AbortSignal | undefined,
  ): Promise<boolean> {
    const head = requestHead(url, headers, range)
    if (head === undefined || signal?.aborted) return false
    const connection = this.#take(url)
    if (!connection) return false
    const onAbort = (): void => connection.destroy()
    signal?.addEventListener('abort', onAbort, { once: true })
    const isWhole = await connection.ask(head, range, into)
    signal?.removeEventListener('abort', onAbort)
    if (!connection.isClosed) this.#idle.get(url.host)?.push(connection)
    return isWhole
  }

  close(): void {
    for (const connections of this.#open.values()) for (const connection of connections) connection.destroy()
  }

  /** @returns `undefined`: there are enough. */
  #take({ host, hostname, port }: URL): RangeConnection | undefined {
    const idle = this.#idle.get(host) ?? []
    this.#idle.set(host, idle)
    for (let kept = idle.pop(); kept; kept = idle.pop()) if (!kept.isClosed) return kept
    const open = this.#open.get(host) ?? new Set()
    this.#open.set(host, open)
    if (open.size >= this.options.connectionsMax) return undefined
    const place = { host: hostname.replace(/^\[|\]$/g, ''), port: Number(port || 80) }
    const connection: RangeConnection = new RangeConnection(place, this.options.idleTimeoutMs, () =>
      open.delete(connection),
    )
    open.add(connection)
    return connection
  }
}

interface Asked {
  readonly range: ByteRange
  readonly into: Uint8Array
  /** Bytes of the body that are there; `undefined` before the end of the head. */
  received: number | undefined
  readonly resolve: (isWhole: boolean) => void
}

/** One connection, one request at a time. */
class RangeConnection {
  readonly #socket: Socket
  readonly #head = new Uint8Array(HEAD_BYTES_MAX)
  #headBytes = 0
  #asked: Asked | undefined
  isClosed = false

  constructor(
    place: { readonly host: string; readonly port: number },
    private readonly idleTimeoutMs: number,
    onClosed: () => void,
  ) {
    const onread = { buffer: () => this.#room(), callback: (count: number) => this.#take(count) }
    this.#socket = connect({ ...place, noDelay: true, onread })
    this.#socket.on('error', () => undefined)
    this.#socket.on('end', () => this.destroy())
    this.#socket.on('timeout', () => this.destroy())
    this.#socket.on('close', () => {
      this.destroy()
      onClosed()
    })
  }

  /** Precondition: nothing is asked. @returns whether the range is in `into`, which is ours until then. */
  ask(head: string, range: ByteRange, into: Uint8Array): Promise<boolean> {
    this.#socket.ref()
    this.#socket.setTimeout(this.idleTimeoutMs)
    this.#headBytes = 0
    return new Promise((resolve) => {
      this.#asked = { range, into, received: undefined, resolve }
      this.#socket.write(head, 'latin1')
    })
  }

  destroy(): void {
    this.isClosed = true
    this.#socket.destroy()
    this.#settle(false)
  }

  /** Where the next bytes go: what is behind the answer is nobody's, and its room is that of a head. */
  #room(): Uint8Array {
    const { received, into, range } = this.#asked ?? {}
    if (received === undefined) return this.#head.subarray(this.#headBytes)
    return into!.subarray(received, range!.length)
  }

  /** @returns false: no more is read. */
  #take(count: number): boolean {
    const asked = this.#asked
    if (!asked) this.destroy()
    else if (asked.received === undefined) this.#takeHead(asked, count)
    else asked.received += count
    if (asked?.received === asked?.range.length) this.#finish()
    return !this.isClosed
  }

  #takeHead(asked: Asked, count: number): void {
    this.#headBytes += count
    const bytes = Buffer.from(this.#head.buffer, 0, this.#headBytes)
    const end = bytes.indexOf('\r\n\r\n')
    if (end < 0) {
      if (this.#headBytes === HEAD_BYTES_MAX) this.destroy()
      return
    }
    const body = bytes.subarray(end + 4)
    if (!isExactRange(bytes.toString('latin1', 0, end), asked.range) || body.length > asked.range.length) {
      this.destroy()
      return
    }
    asked.into.set(body)
    asked.received = body.length
  }

  #finish(): void {
    this.#headBytes = 0
    this.#socket.setTimeout(KEPT_MS)
    this.#socket.unref()
    this.#settle(true)
  }

  #settle(isWhole: boolean): void {
    const asked = this.#asked
    this.#asked = undefined
    asked?.resolve(isWhole)
  }
}

/** @returns `undefined` where a header is none that can be written as it is. */
function requestHead(
  { pathname, search, host }: URL,
  headers: Readonly<Record<string, string>>,
  { offset, length }: ByteRange,
): string | undefined {
  const own = { host, connection: 'keep-alive', range: `bytes=${offset}-${offset + length - 1}` }
  const lines = [`GET ${pathname}${search} HTTP/1.1`]
  for (const [name, value] of Object.entries({ ...headers, ...own })) {
    if (!/^[\w-]+$/.test(name) || !/^[\x20-\x7e]*$/.test(value)) return undefined
    lines.push(`${name}: ${value}`)
  }
  return `${lines.join('\r\n')}\r\n\r\n`
}
