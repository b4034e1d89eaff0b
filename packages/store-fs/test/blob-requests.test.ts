import { once } from 'node:events'
import * as fsp from 'node:fs/promises'
import { type IncomingMessage, request, type ServerResponse } from 'node:http'
import { connect } from 'node:net'
import { BLOB_BYTES_MAX, type BlobId, GRANT_TTL_MS } from '@tidemark/protocol'
import { afterEach, describe, expect, test } from 'vitest'
import type { FsBlobStoreOptions } from '../src/index.js'
import { blobOf, idOf, problem, type Served, SPACE, send, serve } from './http-fixture.js'

const open: Served[] = []
async function start(options: Partial<FsBlobStoreOptions> = {}): Promise<Served> {
  const served = await serve(options)
  open.push(served)
  return served
}
afterEach(async () => {
  for (const served of open.splice(0)) await served.close()
})

async function expectNothingStored(served: Served, id: BlobId): Promise<void> {
  expect(await served.store.stat(SPACE, id)).toBeUndefined()
  await expect.poll(() => served.incoming()).toEqual([])
}

describe('PUT', () => {
  test('a granted upload is stored and answered 201, and 200 the second time', async () => {
    const served = await start()
    const blob = blobOf(1_000_003)
    const grant = await served.store.grantPut(SPACE, blob)
    expect(grant.url).toMatch(new RegExp(`^/blobs/photos/${blob.id}\\?`))
    expect((await send(served.url, grant.url, { method: 'PUT', body: blob.bytes })).status).toBe(201)
    expect((await send(served.url, grant.url, { method: 'PUT', body: blob.bytes })).status).toBe(200)
    expect(idOf(await served.store.read(SPACE, blob.id, { offset: 0, length: blob.length }))).toBe(blob.id)
    expect(await served.incoming()).toEqual([])
  })

  test('the hook gets the bytes before the answer, whether they were kept or read back', async () => {
    for (const keptBytesMax of [0, 1 << 20]) {
      const seen: [string, BlobId, BlobId][] = []
      const served = await start({
        uploads: { keptBytesMax },
        onStored: (space, id, bytes) => {
          seen.push([space, id, idOf(bytes)])
        },
      })
      const blobs = [0, 1, 65_536, 262_144, 262_145, 700_001].map(blobOf)
      for (const blob of blobs) {
        const { url } = await served.store.grantPut(SPACE, blob)
        expect((await send(served.url, url, { method: 'PUT', body: blob.bytes })).status).toBe(201)
      }
      expect(seen).toEqual(blobs.map(({ id }) => [SPACE, id, id]))
    }
  })

  test('an upload whose hook fails is answered 500 and may be sent again', async () => {
    const errors: unknown[] = []
    let fail = true
    const served = await start({
      onError: (error) => errors.push(error),
      onStored: () => {
        if (fail) throw new Error('index closed')
      },
    })
    const blob = blobOf(10)
    const { url } = await served.store.grantPut(SPACE, blob)
    expect(problem(await send(served.url, url, { method: 'PUT', body: blob.bytes })).code).toBe('INTERNAL')
    expect(errors).toHaveLength(1)
    fail = false
    expect((await send(served.url, url, { method: 'PUT', body: blob.bytes })).status).toBe(200)
  })

  test('other bytes of the granted length are refused and nothing is stored', async () => {
    const served = await start()
    const blob = blobOf(300_000)
    const { url } = await served.store.grantPut(SPACE, blob)
    const body = Buffer.from(blob.bytes)
    body[299_999]! ^= 1
    const answer = await send(served.url, url, { method: 'PUT', body })
    expect(answer.headers['content-type']).toBe('application/problem+json')
    expect(problem(answer)).toEqual({ status: 400, code: 'BLOB_MISMATCH' })
    await expectNothingStored(served, blob.id)
  })

  test('a tampered part of the grant is answered 403', async () => {
    const served = await start()
    const blob = blobOf(10)
    const other = blobOf(10)
    const { url } = await served.store.grantPut(SPACE, blob)
    const get = (await served.store.grantGet(SPACE, blob.id)).url
    const tampered = [
      url.replace(blob.id, other.id),
      url.replace('/photos/', '/music/'),
      url.replace('length=10', 'length=11'),
      url.replace(/expires=(\d+)/, (_, ms) => `expires=${Number(ms) + 1}`),
      url.replace(/sig=./, (text) => (text.endsWith('0') ? 'sig=1' : 'sig=0')),
      url.replace(/&sig=.*/, ''),
      url.replace(/sig=.*/, 'sig='),
      url.replace('?', '?expires=99999999999999&'),
      `${url}&length=10`,
      url.replace('length=10', 'length=010'),
      get,
      get.replace('method=GET', 'method=PUT&length=10'),
    ]
    for (const target of tampered) {
      const answer = await send(served.url, target, { method: 'PUT', body: blob.bytes })
      expect(problem(answer), target).toEqual({ status: 403, code: 'BAD_SIGNATURE' })
    }
    expect((await send(served.url, url, { method: 'GET' })).status).toBe(403)
    await expectNothingStored(served, blob.id)
  })

  test('an expired grant is answered 410, to the millisecond', async () => {
    let nowMs = 1_800_000_000_000
    const served = await start({ clock: { nowMs: () => nowMs } })
    const blob = blobOf(10)
    const grant = await served.store.grantPut(SPACE, blob)
    expect(grant.expiresAtMs).toBe(nowMs + GRANT_TTL_MS)
    nowMs += GRANT_TTL_MS
    const answer = await send(served.url, grant.url, { method: 'PUT', body: blob.bytes })
    expect(problem(answer)).toEqual({ status: 410, code: 'GRANT_EXPIRED' })
    await expectNothingStored(served, blob.id)
    nowMs--
    expect((await send(served.url, grant.url, { method: 'PUT', body: blob.bytes })).status).toBe(201)
  })

  test('a body of another length, without a length or too long is refused before it is read', async () => {
    const served = await start()
    const blob = blobOf(1_000)
    const { url } = await served.store.grantPut(SPACE, blob)
    const short = await send(served.url, url, { method: 'PUT', body: blob.bytes.subarray(1) })
    expect(problem(short)).toEqual({ status: 400, code: 'BLOB_MISMATCH' })
    const chunked = await send(served.url, url, {
      method: 'PUT',
      headers: { 'transfer-encoding': 'chunked' },
    })
    expect(problem(chunked)).toEqual({ status: 411, code: 'LENGTH_REQUIRED' })
    const socket = connect(Number(new URL(served.url).port), '127.0.0.1')
    socket.write(`PUT ${url} HTTP/1.1\r\nHost: x\r\nContent-Length: ${BLOB_BYTES_MAX + 1}\r\n\r\nabc`)
    const [head] = (await once(socket, 'data')) as [Buffer]
    expect(head.toString()).toMatch(/^HTTP\/1\.1 413 /)
    await once(socket, 'close')
    await expectNothingStored(served, blob.id)
  })

  test('a sender that goes away in the body, or falls silent, leaves nothing behind', async () => {
    const served = await start({ uploads: { concurrentMax: 1, idleTimeoutMs: 200 } })
    const blob = blobOf(1_000_000)
    const { url } = await served.store.grantPut(SPACE, blob)
    for (const goAway of [true, false]) {
      const req = request(`${served.url}${url}`, {
        method: 'PUT',
        headers: { 'content-length': blob.length },
      })
      req.on('error', () => undefined)
      req.write(blob.bytes.subarray(0, 600_000))
      await expect.poll(async () => (await served.incoming()).length).toBe(1)
      if (goAway) req.destroy()
      else await new Promise((resolve) => req.once('close', resolve))
      await expectNothingStored(served, blob.id)
    }
    // The only slot is free again.
    expect((await send(served.url, url, { method: 'PUT', body: blob.bytes })).status).toBe(201)
  })

  test('a sender that goes away while its file is opened leaves nothing behind', async () => {
    const opening: (() => void)[] = []
    const fileSystem = {
      ...fsp,
      open: (async (...args: Parameters<typeof fsp.open>) => {
        if (args[1] === 'wx') await new Promise<void>((resolve) => opening.push(resolve))
        return fsp.open(...args)
      }) as typeof fsp.open,
    }
    const served = await start({ fileSystem, uploads: { concurrentMax: 1, idleTimeoutMs: 200 } })
    const blob = blobOf(1_000_000)
    const { url } = await served.store.grantPut(SPACE, blob)
    const headers = { 'content-length': blob.length }
    const req = request(`${served.url}${url}`, { method: 'PUT', headers })
    req.on('error', () => undefined)
    const [[, response]] = await Promise.all([
      once(served.server, 'request') as Promise<[IncomingMessage, ServerResponse]>,
      req.write(blob.bytes.subarray(0, 1_000)),
    ])
    await expect.poll(() => opening.length).toBe(1)
    req.destroy()
    await once(response, 'close')
    opening.shift()!()
    await expectNothingStored(served, blob.id)
    const again = send(served.url, url, { method: 'PUT', body: blob.bytes })
    await expect.poll(() => opening.length).toBe(1)
    opening.shift()!()
    expect((await again).status).toBe(201)
  })

  test('uploads beyond the bound wait, and beyond the bound of waiting are told to come back', async () => {
    const served = await start({ uploads: { concurrentMax: 1, waitingMax: 1 } })
    const first = blobOf(1_000)
    const req = request(`${served.url}${(await served.store.grantPut(SPACE, first)).url}`, {
      method: 'PUT',
      headers: { 'content-length': first.length },
    })
    req.write(first.bytes.subarray(0, 10))
    await expect.poll(async () => (await served.incoming()).length).toBe(1)
    const results = await Promise.all(
      [blobOf(10), blobOf(10)].map(async (blob) => {
        const { url } = await served.store.grantPut(SPACE, blob)
        const answer = send(served.url, url, { method: 'PUT', body: blob.bytes })
        void answer.then(({ status }) => status === 503 && req.end(first.bytes.subarray(10)))
        return (await answer).status
      }),
    )
    expect(results.sort()).toEqual([201, 503])
    expect(await served.store.stat(SPACE, first.id)).toBe(1_000)
  })

  test('a full disk is answered 507, and the whole body may still be sent', async () => {
    let full = true
    const fileSystem = {
      ...fsp,
      open: (async (...args: Parameters<typeof fsp.open>) => {
        const handle = await fsp.open(...args)
        if (full && args[1] === 'wx') {
          handle.write = () => Promise.reject(Object.assign(new Error('no space left'), { code: 'ENOSPC' }))
        }
        return handle
      }) as typeof fsp.open,
    }
    const served = await start({ fileSystem })
    const blob = blobOf(8_000_000)
    const { url } = await served.store.grantPut(SPACE, blob)
    const answer = await send(served.url, url, { method: 'PUT', body: blob.bytes })
    expect(problem(answer)).toEqual({ status: 507, code: 'STORE' })
    await expect(served.store.put(SPACE, blob.id, blob.bytes)).rejects.toMatchObject({
      code: 'STORE',
      status: 507,
    })
    await expectNothingStored(served, blob.id)
    full = false
    expect((await send(served.url, url, { method: 'PUT', body: blob.bytes })).status).toBe(201)
  })

  test('many uploads of one blob and of several at once all succeed', async () => {
    const served = await start()
    const blobs = Array.from({ length: 12 }, (_, i) => blobOf(50_000 + i * 9_973))
    const statuses = await Promise.all(
      [...blobs, ...blobs].map(async (blob) => {
        const { url } = await served.store.grantPut(SPACE, blob)
        return (await send(served.url, url, { method: 'PUT', body: blob.bytes })).status
      }),
    )
    for (const status of statuses) expect([200, 201]).toContain(status)
    for (const blob of blobs) {
      expect(idOf(await served.store.read(SPACE, blob.id, { offset: 0, length: blob.length }))).toBe(blob.id)
    }
    expect(await served.incoming()).toEqual([])
  })
})

describe('GET', () => {
  test('ranges are answered 206 with exactly their bytes, all 200, none 416', async () => {
    const served = await start()
    const blob = blobOf(700_000)
    await served.store.put(SPACE, blob.id, blob.bytes)
    const { url } = await served.store.grantGet(SPACE, blob.id)
    const cases: [string | undefined, number, number, number][] = [
      [undefined, 200, 0, 700_000],
      ['bytes=0-0', 206, 0, 1],
      ['bytes=5-600004', 206, 5, 600_005],
      ['bytes=699999-', 206, 699_999, 700_000],
      ['bytes=600000-99999999', 206, 600_000, 700_000],
      ['bytes=-10', 206, 699_990, 700_000],
      ['bytes=0-1,4-5', 200, 0, 700_000],
      ['lines=0-1', 200, 0, 700_000],
      ['bytes=9-2', 200, 0, 700_000],
    ]
    for (const [range, status, start, end] of cases) {
      const answer = await send(served.url, url, { method: 'GET', headers: range ? { range } : {} })
      expect(answer.status, range).toBe(status)
      expect(answer.body.equals(blob.bytes.subarray(start, end)), range).toBe(true)
      expect(answer.headers['content-range']).toBe(
        status === 206 ? `bytes ${start}-${end - 1}/700000` : undefined,
      )
    }
    const beyond = await send(served.url, url, { method: 'GET', headers: { range: 'bytes=700000-' } })
    expect(problem(beyond)).toEqual({ status: 416, code: 'RANGE_NOT_SATISFIABLE' })
    expect(beyond.headers['content-range']).toBe('bytes */700000')
    const head = await send(served.url, url, { method: 'HEAD' })
    expect([head.status, head.headers['content-length'], head.body.length]).toEqual([200, '700000', 0])
  })

  test('a granted blob that is not there is answered 404 with the code of the error', async () => {
    const served = await start()
    const { url } = await served.store.grantGet(SPACE, blobOf(1).id)
    expect(problem(await send(served.url, url, { method: 'GET' }))).toEqual({
      status: 404,
      code: 'BLOB_NOT_FOUND',
    })
  })

  test('no spelling of a path reaches anything but a blob', async () => {
    const served = await start()
    const blob = blobOf(10)
    await served.store.put(SPACE, blob.id, blob.bytes)
    const { url } = await served.store.grantGet(SPACE, blob.id)
    const query = url.slice(url.indexOf('?'))
    const paths = [
      '/blobs',
      '/blobs/',
      '/blobs/../grant-secret',
      '/blobs/photos/../../grant-secret',
      '/blobs/..%2f..%2fgrant-secret',
      '/blobs/%2e%2e/grant-secret',
      `/blobs/photos/${blob.id}/..`,
      `/blobs/photos/./${blob.id}`,
      `/blobs//photos/${blob.id}`,
      `/blobs/photos/${blob.id.toUpperCase()}`,
      `/blobs/photos%00/${blob.id}`,
      '/blobs/photos/grant-secret',
    ]
    for (const path of paths) {
      const answer = await send(served.url, path + query, { method: 'GET' })
      expect(problem(answer), path).toEqual({ status: 404, code: 'NOT_FOUND' })
    }
    expect((await send(served.url, '/blobsx', { method: 'GET' })).body.toString()).toBe('not ours')
    const answer = await send(served.url, url, { method: 'DELETE' })
    expect([problem(answer).code, answer.headers.allow]).toEqual(['METHOD_NOT_ALLOWED', 'PUT, GET, HEAD'])
  })

  test('a reader that goes away in the body does not keep the file open', async () => {
    const served = await start()
    const blob = blobOf(8_000_000)
    await served.store.put(SPACE, blob.id, blob.bytes)
    const { url } = await served.store.grantGet(SPACE, blob.id)
    const before = (await fsp.readdir('/proc/self/fd').catch(() => [])).length
    for (let i = 0; i < 5; i++) {
      const req = request(`${served.url}${url}`, { agent: false }).end()
      const [res] = (await once(req, 'response')) as [import('node:http').IncomingMessage]
      await once(res, 'data')
      res.destroy()
    }
    await expect
      .poll(async () => (await fsp.readdir('/proc/self/fd').catch(() => [])).length)
      .toBeLessThanOrEqual(before + 1)
  })
})
