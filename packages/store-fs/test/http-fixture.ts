import { createHash, randomBytes } from 'node:crypto'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { createServer, type IncomingHttpHeaders, request, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type BlobId, parseBlobId, parseSpaceName } from '@tidemark/protocol'
import { type FsBlobStore, type FsBlobStoreOptions, fsBlobStore } from '../src/index.js'

export const SPACE = parseSpaceName('photos')

export function blobOf(length: number): { id: BlobId; bytes: Buffer; length: number } {
  const bytes = randomBytes(length)
  return { id: idOf(bytes), bytes, length }
}

export function idOf(bytes: Uint8Array): BlobId {
  return parseBlobId(createHash('sha256').update(bytes).digest('hex'))
}

export interface Served {
  readonly directory: string
  readonly store: FsBlobStore
  readonly server: Server
  readonly url: string
  /** Names in the directory of unfinished uploads. */
  incoming(): Promise<string[]>
  close(): Promise<void>
}

/** A store in a directory of its own behind a real HTTP server on a free port. */
export async function serve(options: Partial<FsBlobStoreOptions> = {}): Promise<Served> {
  const directory = options.directory ?? (await temporaryDirectory())
  const store = fsBlobStore({ ...options, directory })
  const server = createServer((req, res) => {
    void store.handleBlobRequest(req, res).then((handled) => {
      if (!handled) res.writeHead(404).end('not ours')
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    directory,
    store,
    server,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    incoming: () => readdir(join(directory, 'incoming')),
    close: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
      await rm(directory, { recursive: true, force: true })
    },
  }
}

export function temporaryDirectory(): Promise<string> {
  return mkdtemp(join(tmpdir(), 'tidemark-store-fs-'))
}

export interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
}

/** One request with the target exactly as given: nothing is normalized on the way. */
export function send(
  base: string,
  target: string,
  options: { method: string; headers?: Record<string, string | number>; body?: Uint8Array },
): Promise<Answer> {
  const { hostname, port } = new URL(base)
  return new Promise((resolve, reject) => {
    const headers = { ...(options.body ? { 'content-length': options.body.length } : {}), ...options.headers }
    const req = request({ hostname, port, path: target, method: options.method, headers, agent: false })
    req.on('error', reject)
    req.on('response', (res) => {
      const parts: Buffer[] = []
      res.on('data', (part: Buffer) => parts.push(part))
      res.on('error', reject)
      res.on('end', () =>
        resolve({ status: res.statusCode ?? 0, headers: res.headers, body: Buffer.concat(parts) }),
      )
    })
    req.end(options.body)
  })
}

export function problem(answer: Answer): { status: number; code: string } {
  const { status, code } = JSON.parse(answer.body.toString()) as { status: number; code: string }
  return { status, code }
}
