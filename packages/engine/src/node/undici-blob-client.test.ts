import { GrantExpiredError } from '@tidemark/protocol'
import { describe, expect, test, vi } from 'vitest'
import { blobServer, GET, PUT, runBlobClientRules } from '../../test/blob-client-rules.js'
import { undiciBlobClient } from './undici-blob-client.js'

runBlobClientRules('undici', undiciBlobClient)

describe('uploads', () => {
  const serve = blobServer(undiciBlobClient)

  test('a store that stops reading is given up, with time for what may lie in buffers', async () => {
    let isReading = (): void => undefined
    const reading = new Promise<void>((resolve) => {
      isReading = resolve
    })
    const { client } = await serve(() => undefined, {
      onRequest: (request) => {
        request.pause()
        isReading()
      },
    })
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    try {
      let error: unknown
      const put = client.put(PUT, new Uint8Array(32 * 1024 * 1024), {}).catch((thrown: unknown) => {
        error = thrown
      })
      await reading
      await vi.advanceTimersByTimeAsync(29_000)
      expect(error).toBeUndefined()
      await vi.advanceTimersByTimeAsync(32 * 64 * 1_000)
      await put
      expect(error).toMatchObject({ code: 'STORE', status: undefined })
    } finally {
      vi.useRealTimers()
    }
  })

  test('a store that refuses before it has read the body is heard', async () => {
    const { client } = await serve(() => undefined, {
      onRequest: (request) => {
        request.pause()
        request.socket.end('HTTP/1.1 410 Gone\r\ncontent-length: 2\r\n\r\n{}')
      },
    })
    const put = client.put(PUT, new Uint8Array(1024 * 1024), {})
    await expect(put).rejects.toBeInstanceOf(GrantExpiredError)
  })
})

describe('long ranges', () => {
  const serve = blobServer(undiciBlobClient)

  test('a long range comes into the memory that was given, one that a store gives in another way too', async () => {
    const bytes = Buffer.alloc(600_000, 'abc')
    let headers: Record<string, string> = { 'content-length': '500000' }
    const { client } = await serve((_request, response) => {
      response.writeHead(206, { 'content-range': 'bytes 10-500009/600000', ...headers })
      response.end(bytes.subarray(10, 500_010))
    })
    for (const other of [{}, { 'transfer-encoding': 'chunked' }, { connection: 'close' }]) {
      headers = { ...headers, ...other }
      if ('transfer-encoding' in other) headers = other
      const into = new Uint8Array(2_000_000)
      const got = await client.get(GET, { offset: 10, length: 500_000 }, { into })
      expect(got.buffer).toBe(into.buffer)
      expect(bytes.subarray(10, 500_010).equals(got)).toBe(true)
      expect(into.subarray(500_000).every((byte) => byte === 0)).toBe(true)
    }
  })

  test('a long range that a store refuses is its error', async () => {
    const { client } = await serve((_request, response) => response.writeHead(410).end('{}'))
    const get = client.get(GET, { offset: 0, length: 500_000 }, { into: new Uint8Array(500_000) })
    await expect(get).rejects.toBeInstanceOf(GrantExpiredError)
  })
})
