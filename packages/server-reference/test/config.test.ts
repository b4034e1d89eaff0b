import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { createLogger, resolveHubConfig, TokenAuthenticator } from '../src/index.js'
import { MUSIC, SPACE, temporaryDirectory } from './fixture.js'

const dataDirectory = '/srv/tidemark'

describe('configuration', () => {
  test('defaults are safe: loopback, and no token asked for there', async () => {
    expect(await resolveHubConfig({ dataDirectory })).toEqual({
      dataDirectory,
      host: '127.0.0.1',
      port: 8080,
      tokens: [],
      anonymous: true,
      origins: [],
      drainTimeoutMs: 10_000,
      requestTimeoutMs: 1_500_000,
      connectionsMax: 10_000,
      rebuildIndex: false,
      evictAfterDays: 180,
      collectEveryMs: 600_000,
      keepUnusedDays: 30,
      sweepEveryMs: 86_400_000,
      refuseNames: [],
      fileBytesMax: undefined,
    })
  })

  test('names and sizes that are refused have bounds', async () => {
    const wrong = [
      { refuseNames: [''] },
      { refuseNames: ['a/b'] },
      { refuseNames: ['x'.repeat(256)] },
      { refuseNames: Array(101).fill('x') },
      { fileBytesMax: 0 },
      { fileBytesMax: 1.5 },
    ]
    for (const options of wrong) {
      const [option] = Object.keys(options)
      const resolved = resolveHubConfig({ dataDirectory, ...options })
      await expect(resolved).rejects.toMatchObject({ code: 'INVALID_CONFIG', option })
    }
  })

  test('an address that others reach needs a token', async () => {
    for (const host of ['0.0.0.0', '::', '192.0.2.1', 'hub.example', '127.0.0.1.example', '1270.0.0.1']) {
      await expect(resolveHubConfig({ dataDirectory, host })).rejects.toMatchObject({
        name: 'ConfigError',
        code: 'UNSAFE_CONFIG',
        option: 'host',
      })
      expect((await resolveHubConfig({ dataDirectory, host, token: 'secret' })).anonymous).toBe(false)
    }
    for (const host of ['127.0.0.1', '127.1.2.3', '::1', 'localhost']) {
      expect((await resolveHubConfig({ dataDirectory, host })).anonymous).toBe(true)
    }
    await expect(resolveHubConfig({ dataDirectory, tokens: [] })).rejects.toMatchObject({
      code: 'UNSAFE_CONFIG',
    })
  })

  test('every value out of its bounds is named', async () => {
    const bad = [
      ['dataDirectory', { dataDirectory: '' }],
      ['host', { dataDirectory, host: '' }],
      ['port', { dataDirectory, port: 65_536 }],
      ['port', { dataDirectory, port: 1.5 }],
      ['port', { dataDirectory, port: Number.NaN }],
      ['drainTimeoutMs', { dataDirectory, drainTimeoutMs: -1 }],
      ['connectionsMax', { dataDirectory, connectionsMax: 0 }],
      ['token', { dataDirectory, token: '' }],
      ['keepUnusedDays', { dataDirectory, keepUnusedDays: 0.9 }],
      ['keepUnusedDays', { dataDirectory, keepUnusedDays: Number.NaN }],
      ['sweepEveryMs', { dataDirectory, sweepEveryMs: 9 }],
    ] as const
    for (const [option, options] of bad) {
      await expect(resolveHubConfig(options)).rejects.toMatchObject({ code: 'INVALID_CONFIG', option })
    }
  })

  test('a tokens file is read, and what is wrong with it is said without its contents', async () => {
    const tokensFile = join(await temporaryDirectory(), 'tokens.json')
    const entry = { token: 's3cret', subject: 'laptop', spaces: ['photos'], access: 'read' }
    await writeFile(tokensFile, JSON.stringify({ tokens: [entry] }))
    expect((await resolveHubConfig({ dataDirectory, tokensFile })).tokens).toEqual([entry])
    const broken = [
      'not json s3cret',
      '[]',
      '{"tokens":[{"token":"s3cret"}]}',
      JSON.stringify({ tokens: [{ ...entry, spaces: ['../s3cret'] }] }),
      JSON.stringify({ tokens: [{ ...entry, access: 'admin' }] }),
    ]
    for (const text of broken) {
      await writeFile(tokensFile, text)
      const error = await resolveHubConfig({ dataDirectory, tokensFile }).catch((e: unknown) => e as Error)
      expect(error).toMatchObject({ code: 'INVALID_CONFIG' })
      expect(String((error as Error).message)).not.toContain('s3cret')
    }
    await expect(resolveHubConfig({ dataDirectory, tokensFile: '/nowhere' })).rejects.toMatchObject({
      code: 'INVALID_CONFIG',
    })
  })
})

describe('tokens', () => {
  const authenticator = new TokenAuthenticator(
    [
      { token: 'all', subject: 'owner', spaces: '*', access: 'write' },
      { token: 'some', subject: 'guest', spaces: [SPACE], access: 'read' },
    ],
    { anonymous: false },
  )

  test('a token gives its subject exactly its spaces and its access', () => {
    const owner = authenticator.authenticate('all')
    expect([owner.subject, owner.may(SPACE, 'write'), owner.may(MUSIC, 'read')]).toEqual([
      'owner',
      true,
      true,
    ])
    const guest = authenticator.authenticate('some')
    expect(guest.subject).toBe('guest')
    expect([guest.may(SPACE, 'read'), guest.may(SPACE, 'write'), guest.may(MUSIC, 'read')]).toEqual([
      true,
      false,
      false,
    ])
  })

  test('no token, an empty one and a wrong one are refused', () => {
    for (const token of [undefined, '', 'al', 'all ', 'ALL', 'x'.repeat(10_000)]) {
      expect(() => authenticator.authenticate(token)).toThrow(
        expect.objectContaining({ code: 'UNAUTHENTICATED' }),
      )
    }
  })

  test('without tokens everybody on this machine may do everything', () => {
    const anonymous = new TokenAuthenticator([], { anonymous: true })
    for (const token of [undefined, '', 'any']) {
      expect(anonymous.authenticate(token).may(SPACE, 'write')).toBe(true)
    }
  })
})

describe('logger', () => {
  test('a line is one JSON object with time, level, event and facts; errors keep name, code and cause', () => {
    const lines: string[] = []
    const logger = createLogger({
      clock: { nowMs: () => 1_800_000_000_000 },
      write: (line) => lines.push(line),
    })
    const cause = new Error('a\nb')
    logger
      .child({ session: 's1' })
      .warn('odd', { error: Object.assign(new TypeError('x', { cause }), { code: 'C' }) })
    logger.debug('left-out')
    expect(lines).toHaveLength(1)
    expect(lines[0]).toMatch(/^[^\n]*\n$/)
    expect(JSON.parse(lines[0]!)).toEqual({
      time: '2027-01-15T08:00:00.000Z',
      level: 'warn',
      event: 'odd',
      session: 's1',
      error: { name: 'TypeError', code: 'C', message: 'x', cause: { name: 'Error', message: 'a\nb' } },
    })
  })

  test('the text format is one line, whatever the facts hold', () => {
    const lines: string[] = []
    const write = (line: string) => lines.push(line)
    createLogger({ clock: { nowMs: () => 0 }, write, format: 'text' }).info('up', {
      url: 'http://a:1',
      why: 'x\ny',
    })
    expect(lines).toEqual(['1970-01-01T00:00:00.000Z info  up url=http://a:1 why="x\\ny"\n'])
  })
})
