import { GrantExpiredError } from '@tidemark/protocol'
import { describe, expect, test } from 'vitest'
import { blobServer, GET, PUT, runBlobClientRules } from '../../test/blob-client-rules.js'
import { fetchBlobClient } from './fetch-blob-client.js'

runBlobClientRules('fetch', fetchBlobClient)

describe('the blob client of a page', () => {
  const serve = blobServer(fetchBlobClient)

  test('asks for no more at once than a browser has connections', async () => {
    let now = 0
    let most = 0
    const { client } = await serve((_request, response) => {
      most = Math.max(most, ++now)
      setTimeout(() => {
        now -= 1
        response.writeHead(201).end()
      }, 5)
    })
    await Promise.all(Array.from({ length: 10 }, () => client.put(PUT, new Uint8Array(5), {})))
    expect(most).toBe(6)
  })

  test('fills the memory that was given', async () => {
    const { client } = await serve((_request, response) => {
      response.writeHead(206, { 'content-range': 'bytes 10-14/100' }).end('abcde')
    })
    const into = new Uint8Array(8)
    const got = await client.get(GET, { offset: 10, length: 5 }, { into })
    expect(got.buffer).toBe(into.buffer)
    expect(Buffer.from(into).toString()).toBe('abcde\0\0\0')
  })

  test('a closed client ends what runs and waits', async () => {
    const { client } = await serve(() => undefined)
    const running = Array.from({ length: 8 }, () => client.put(PUT, new Uint8Array(5), {}))
    const ended = Promise.allSettled(running)
    await client.close()
    expect((await ended).map(({ status }) => status)).toEqual(Array(8).fill('rejected'))
    await expect(client.get(GET, { offset: 0, length: 1 }, {})).rejects.toMatchObject({ code: 'STORE' })
  })

  test('a grant that is over is told from a range that was not understood', async () => {
    const { client } = await serve((_request, response) => response.writeHead(410).end('{}'))
    const get = client.get(GET, { offset: 0, length: 500_000 }, {})
    await expect(get).rejects.toBeInstanceOf(GrantExpiredError)
  })
})
