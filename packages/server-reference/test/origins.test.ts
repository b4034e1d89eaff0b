import { webSocketTransport } from '@tidemark/transport-ws'
import { afterEach, describe, expect, test } from 'vitest'
import { createHub, type Hub, type HubConfigOptions, resolveHubConfig } from '../src/index.js'
import { keptLog, temporaryDirectory } from './fixture.js'

const APP = 'https://app.example'
const EVIL = 'https://evil.example'

let hub: Hub | undefined
afterEach(async () => {
  await hub?.close()
})

async function start(options: Partial<HubConfigOptions>) {
  const { logger, lines } = keptLog()
  hub = await createHub({ port: 0, dataDirectory: await temporaryDirectory(), logger, ...options })
  return { url: hub.url, lines }
}

const preflight = (url: string, origin: string) =>
  fetch(`${url}/blobs/space/id`, {
    method: 'OPTIONS',
    headers: {
      origin,
      'access-control-request-method': 'GET',
      'access-control-request-headers': 'range',
    },
  })
const dial = (url: string, headers: Record<string, string>) =>
  webSocketTransport(url, { headers }).connect({ signal: AbortSignal.timeout(5_000) })

describe('pages', () => {
  test('no page gets a session or a preflight unless its origin is listed', async () => {
    const { url, lines } = await start({ origins: [APP] })
    await dial(url, { origin: APP })
    await expect(dial(url, { origin: EVIL })).rejects.toMatchObject({ code: 'FORBIDDEN' })
    // A name that its owner lets lead to this machine: page and hub have one origin then.
    const rebound = { origin: 'http://evil.example:8080', host: 'evil.example:8080' }
    await expect(dial(url, rebound)).rejects.toMatchObject({ code: 'FORBIDDEN' })
    expect(lines.filter(({ event }) => event === 'origin-refused').map(({ origin }) => origin)).toEqual([
      EVIL,
      'http://evil.example:8080',
    ])
    const allowed = await preflight(url, APP)
    expect(allowed.status).toBe(204)
    expect(allowed.headers.get('access-control-allow-origin')).toBe(APP)
    expect(allowed.headers.get('access-control-allow-methods')).toContain('PUT')
    expect(allowed.headers.get('access-control-allow-headers')).toContain('range')
    expect(allowed.headers.get('vary')).toBe('Origin')
    const refused = await preflight(url, EVIL)
    expect(refused.status).toBe(403)
    expect(refused.headers.get('access-control-allow-origin')).toBeNull()
  })

  test('by default none may, and who sends no origin is not asked', async () => {
    const { url } = await start({})
    await expect(dial(url, { origin: APP })).rejects.toMatchObject({ code: 'FORBIDDEN' })
    await expect(dial(url, { origin: url })).rejects.toMatchObject({ code: 'FORBIDDEN' })
    await dial(url, {})
  })

  test('a listed page sees of an answer what it needs to check a range, of a refusal too', async () => {
    const { url } = await start({ origins: [APP] })
    const answer = (origin: string) => fetch(`${url}/blobs/space/${'0'.repeat(64)}`, { headers: { origin } })
    const seen = await answer(APP)
    expect(seen.status).toBe(403)
    expect(seen.headers.get('access-control-allow-origin')).toBe(APP)
    expect(seen.headers.get('access-control-expose-headers')).toContain('content-range')
    expect(seen.headers.get('access-control-allow-credentials')).toBeNull()
    expect((await answer(EVIL)).headers.get('access-control-allow-origin')).toBeNull()
    for (const path of ['/metrics', '/healthz']) {
      const other = await fetch(url + path, { headers: { origin: APP } })
      expect(other.headers.get('access-control-allow-origin')).toBeNull()
    }
  })

  test('with * every page may ask', async () => {
    const { url } = await start({ origins: ['*'], token: 'secret' })
    expect((await preflight(url, EVIL)).headers.get('access-control-allow-origin')).toBe(EVIL)
    await dial(url, { origin: 'null' })
  })
})

describe('origins of a configuration', () => {
  const dataDirectory = '/srv/tidemark'
  const resolve = (origins: string[], token?: string) =>
    resolveHubConfig({ dataDirectory, origins, ...(token === undefined ? {} : { token }) })

  test('are written as browsers write them', async () => {
    const good = [APP, 'http://localhost:8081', 'http://[::1]:8080', 'app://tidemark']
    expect((await resolve(good)).origins).toEqual(good)
    for (const bad of [
      '',
      'null',
      'app.example',
      `${APP}/`,
      `${APP}/path`,
      'https://APP.example',
      'https://app.example:443',
      'https://*.example',
      'https://a@app.example',
      'file://',
    ]) {
      await expect(resolve([bad])).rejects.toMatchObject({ code: 'INVALID_CONFIG', option: 'origins' })
    }
  })

  test('every page may only where a token is asked for', async () => {
    await expect(resolve(['*'])).rejects.toMatchObject({ code: 'UNSAFE_CONFIG', option: 'origins' })
    expect((await resolve(['*'], 'secret')).origins).toEqual(['*'])
  })
})
