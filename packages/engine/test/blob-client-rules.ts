import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import {
  type BlobClient,
  BlobMismatchError,
  BlobNotFoundError,
  type Grant,
  GrantExpiredError,
  StoreError,
} from '@tidemark/protocol'
import { afterEach, describe, expect, test } from 'vitest'

export const PUT: Grant = {
  method: 'PUT',
  url: '/blobs/x',
  headers: { 'x-amz-meta': 'kept' },
  expiresAtMs: 0,
}
export const GET: Grant = { ...PUT, method: 'GET' }

export type ClosableClient = BlobClient & { close(): Promise<void> }
export type MakeClient = (options: {
  readonly baseUrl: string
  readonly idleTimeoutMs?: number
}) => ClosableClient
export type Answer = (request: IncomingMessage, response: ServerResponse, body: Buffer) => void

export interface ServeOptions {
  readonly idleTimeoutMs?: number
  /** Sees each request before its body is read. */
  onRequest?(request: IncomingMessage): void
}

/** Serves one answer to everything until the end of each test. */
export function blobServer<Client extends ClosableClient>(
  make: (options: { readonly baseUrl: string; readonly idleTimeoutMs?: number }) => Client,
): (answer: Answer, options?: ServeOptions) => Promise<{ client: Client; url: string }> {
  let server: Server | undefined
  let client: Client | undefined
  afterEach(async () => {
    await client?.close()
    server?.closeAllConnections()
    await new Promise((resolve) => (server ? server.close(resolve) : resolve(undefined)))
  })
  return async (answer, { onRequest, ...options } = {}) => {
    server = createServer((request, response) => {
      const parts: Buffer[] = []
      request.on('data', (part: Buffer) => parts.push(part))
      request.on('end', () => answer(request, response, Buffer.concat(parts)))
      onRequest?.(request)
    })
    await new Promise<void>((resolve) => server!.listen(0, '127.0.0.1', resolve))
    const url = `127.0.0.1:${(server.address() as AddressInfo).port}`
    client = make({ baseUrl: `ws://${url}/sync`, ...options })
    return { client, url }
  }
}

/** What every client of blobs over HTTP does, whatever it is made of. */
export function runBlobClientRules(name: string, make: MakeClient): void {
  describe(`blob client ${name}`, () => {
    const serve = blobServer(make)

    test('a relative grant goes to the host that was dialled, with its headers and the exact length', async () => {
      const seen: unknown[] = []
      const { client, url } = await serve((request, response, body) => {
        seen.push([
          request.method,
          request.url,
          request.headers['content-length'],
          request.headers['x-amz-meta'],
          body.length,
        ])
        response.writeHead(201).end()
      })
      await client.put(PUT, new Uint8Array(5), {})
      await client.put({ ...PUT, url: `http://${url}/elsewhere?sig=%2f` }, new Uint8Array(0), {})
      expect(seen).toEqual([
        ['PUT', '/blobs/x', '5', 'kept', 5],
        ['PUT', '/elsewhere?sig=%2f', '0', 'kept', 0],
      ])
    })

    test('a range is asked for and given exactly', async () => {
      const { client } = await serve((request, response) => {
        expect(request.headers.range).toBe('bytes=10-14')
        response.writeHead(206, { 'content-range': 'bytes 10-14/100' }).end('abcde')
      })
      expect(Buffer.from(await client.get(GET, { offset: 10, length: 5 }, {})).toString()).toBe('abcde')
      expect(await client.get(GET, { offset: 10, length: 0 }, {})).toEqual(new Uint8Array())
    })

    test.each([
      ['another range', 206, { 'content-range': 'bytes 11-15/100' }, 'abcde'],
      ['the whole blob', 200, { 'content-length': '100' }, 'x'.repeat(100)],
      ['more than the range', 206, { 'content-range': 'bytes 10-14/100' }, 'abcdef'],
      ['less than the range', 206, { 'content-range': 'bytes 10-14/100' }, 'abcd'],
    ])('a store that sends %s is a StoreError', async (_, status, headers, body) => {
      const { client } = await serve((_request, response) => response.writeHead(status, headers).end(body))
      await expect(client.get(GET, { offset: 10, length: 5 }, {})).rejects.toBeInstanceOf(StoreError)
    })

    test.each([
      [410, '{"code":"GRANT_EXPIRED"}', GrantExpiredError],
      [
        403,
        '<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>',
        GrantExpiredError,
      ],
      [403, '<Error><Code>AccessDenied</Code></Error>', GrantExpiredError],
      [403, '{"code":"BAD_SIGNATURE"}', StoreError],
      [412, '', StoreError],
      [400, '{"title":"Bad Request","code":"BLOB_MISMATCH"}', BlobMismatchError],
      [400, '<Error><Code>BadDigest</Code></Error>', BlobMismatchError],
      [400, 'x'.repeat(100_000), StoreError],
      [404, '', BlobNotFoundError],
      [503, '{"code":"BUSY"}', StoreError],
      [507, '{"code":"STORE"}', StoreError],
      [302, '', StoreError],
    ])('status %d with %s is one error', async (status, body, type) => {
      const { client } = await serve((_request, response) => response.writeHead(status).end(body))
      for (const run of [
        () => client.put(PUT, new Uint8Array(5), {}),
        () => client.get(GET, { offset: 0, length: 5 }, {}),
      ]) {
        const error = await run().catch((thrown: unknown) => thrown)
        expect(error).toBeInstanceOf(type)
        if (error instanceof StoreError) expect(error.status).toBe(status)
      }
    })

    test('a store that asks to wait is believed in seconds', async () => {
      const answers = ['7', 'Fri, 31 Dec 1999 23:59:59 GMT']
      const { client } = await serve((_, response) =>
        response.writeHead(503, { 'retry-after': answers.shift()! }).end(),
      )
      await expect(client.put(PUT, new Uint8Array(5), {})).rejects.toMatchObject({
        status: 503,
        retryAfterMs: 7_000,
      })
      const error = await client.put(PUT, new Uint8Array(5), {}).catch((thrown: unknown) => thrown)
      expect(error).toBeInstanceOf(StoreError)
      expect((error as StoreError).retryAfterMs).toBeUndefined()
    })

    test('a cut connection, nobody there, and silence are StoreErrors without a status', async () => {
      const { client } = await serve((request) => request.socket.destroy())
      await expect(client.put(PUT, new Uint8Array(5), {})).rejects.toMatchObject({
        code: 'STORE',
        status: undefined,
      })
      const nobody = { ...GET, url: 'http://127.0.0.1:1/x' }
      await expect(client.get(nobody, { offset: 0, length: 1 }, {})).rejects.toMatchObject({ code: 'STORE' })
    })

    test('a store that falls silent in the middle of a body is given up', async () => {
      const { client } = await serve(
        (_request, response) => {
          response.writeHead(206, { 'content-range': 'bytes 0-4/5', 'content-length': 5 }).write('ab')
        },
        { idleTimeoutMs: 300 },
      )
      await expect(client.get(GET, { offset: 0, length: 5 }, {})).rejects.toBeInstanceOf(StoreError)
    })

    test('an upload that goes on slowly may take longer than a silence', async () => {
      const body = new Uint8Array(12 * 1024 * 1024)
      const idleTimeoutMs = 300
      const { client } = await serve(
        (_request, response, { length }) => response.writeHead(length === body.length ? 201 : 400).end(),
        { idleTimeoutMs, onRequest: readSlowly },
      )
      const startedMs = performance.now()
      await client.put(PUT, body, {})
      expect(performance.now() - startedMs).toBeGreaterThan(5 * idleTimeoutMs)
    })

    test('a store that has a body may take longer to answer than a silence, the longer the body is', async () => {
      const { client } = await serve(
        (_request, response) => setTimeout(() => response.writeHead(201).end(), 1_500),
        { idleTimeoutMs: 300 },
      )
      await client.put(PUT, new Uint8Array(32_000), {})
    })

    test('a store that takes a body and says nothing is given up', async () => {
      const { client } = await serve(() => undefined, { idleTimeoutMs: 300 })
      await expect(client.put(PUT, new Uint8Array(16_000), {})).rejects.toMatchObject({
        code: 'STORE',
        status: undefined,
      })
    })

    test('the signal ends a request with its reason, before and while it runs', async () => {
      const { client } = await serve(() => undefined)
      const abort = new AbortController()
      const running = client.get(GET, { offset: 0, length: 5 }, { signal: abort.signal })
      setTimeout(() => abort.abort(new Error('enough')), 30)
      await expect(running).rejects.toThrow('enough')
      await expect(client.put(PUT, new Uint8Array(1), { signal: abort.signal })).rejects.toThrow('enough')
    })

    test('a store that denies access without a reason is believed to mean the end of a grant only when it is over', async () => {
      const { client } = await serve((_request, response) => {
        response.writeHead(403).end('<Error><Code>AccessDenied</Code></Error>')
      })
      const good = { ...PUT, expiresAtMs: Date.now() + 60_000 }
      await expect(client.put(good, new Uint8Array(1), {})).rejects.toBeInstanceOf(StoreError)
    })

    test('a grant that only creates is carried out where the blob is there', async () => {
      const seen: unknown[] = []
      const { client } = await serve((request, response) => {
        seen.push(request.headers['if-none-match'])
        response.writeHead(412).end('<Error><Code>PreconditionFailed</Code></Error>')
      })
      await client.put({ ...PUT, headers: { 'if-none-match': '*' } }, new Uint8Array(1), {})
      expect(seen).toEqual(['*'])
    })
  })
}

/**
 * At most 64 KiB each 15 ms: what a connection gives at once. The sender hears of it in bursts, longer apart than
 * the silence is: a system that has megabytes in its buffers takes more when a third of them is free.
 */
function readSlowly(request: IncomingMessage): void {
  request.pause()
  const timer = setInterval(() => request.read(), 15)
  request.on('close', () => clearInterval(timer))
}
