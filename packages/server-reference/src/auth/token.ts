import { createHash, timingSafeEqual } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { AccessError, parseSpaceName, type SpaceName, TOKEN_BYTES_MAX } from '@tidemark/protocol'
import { ConfigError } from '../errors.js'

export type Access = 'read' | 'write'

/** What one token allows. */
export interface TokenGrant {
  readonly token: string
  /** Who holds it, for logs. */
  readonly subject: string
  /** `'*'`: every space. */
  readonly spaces: '*' | readonly SpaceName[]
  /** `'write'` includes reading. */
  readonly access: Access
}

/** Who is at the other end of a session, and what it may do. */
export interface Subject {
  readonly subject: string
  may(space: SpaceName, access: Access): boolean
}

/** Static bearer tokens. */
export class TokenAuthenticator {
  readonly #grants: readonly { readonly digest: Buffer; readonly subject: Subject }[]
  readonly #anonymous: Subject | undefined

  /** @param options `anonymous`: without a token everything is allowed; for a hub that only this machine reaches. */
  constructor(grants: readonly TokenGrant[], options: { readonly anonymous: boolean }) {
    this.#grants = grants.map((grant) => ({ digest: digestOf(grant.token), subject: subjectOf(grant) }))
    this.#anonymous = options.anonymous ? { subject: 'anonymous', may: () => true } : undefined
  }

  /** @throws {AccessError} UNAUTHENTICATED: no token, or none of ours. */
  authenticate(token: string | undefined): Subject {
    if (token === undefined || token === '') {
      if (this.#anonymous) return this.#anonymous
      throw new AccessError('UNAUTHENTICATED', 'a token is required')
    }
    const digest = digestOf(token)
    let found: Subject | undefined
    // Digests of one length, every one compared: the time says nothing about a token.
    for (const grant of this.#grants) if (timingSafeEqual(grant.digest, digest)) found = grant.subject
    found ??= this.#anonymous
    if (!found) throw new AccessError('UNAUTHENTICATED', 'the token is not valid')
    return found
  }
}

/**
 * Tokens from a JSON file:
 * `{ "tokens": [{ "token": "…", "subject": "laptop", "spaces": "*" | ["photos"], "access": "read" | "write" }] }`.
 * @throws {ConfigError} INVALID_CONFIG: it cannot be read, or has another shape.
 */
export async function readTokensFile(path: string): Promise<TokenGrant[]> {
  let json: unknown
  try {
    json = JSON.parse(await readFile(path, 'utf8'))
  } catch (error) {
    // The message of a syntax error quotes the text, which holds tokens.
    throw new ConfigError('INVALID_CONFIG', 'tokensFile', `${path} cannot be read as JSON`, {
      ...(error instanceof SyntaxError ? {} : { cause: error }),
    })
  }
  const tokens = isRecord(json) ? json.tokens : undefined
  if (!Array.isArray(tokens)) {
    throw new ConfigError('INVALID_CONFIG', 'tokensFile', `${path} has no list "tokens"`)
  }
  return tokens.map((value: unknown, i) => parseTokenGrant(value, `tokensFile, entry ${i}`))
}

/** @throws {ConfigError} INVALID_CONFIG */
export function parseTokenGrant(value: unknown, option: string): TokenGrant {
  const fail = (message: string): never => {
    throw new ConfigError('INVALID_CONFIG', option, message)
  }
  if (!isRecord(value)) return fail('expected an object')
  const { token, subject, spaces, access } = value
  if (typeof token !== 'string' || token === '' || Buffer.byteLength(token) > TOKEN_BYTES_MAX) {
    return fail(`token: expected 1 to ${TOKEN_BYTES_MAX} bytes of text`)
  }
  if (typeof subject !== 'string' || subject === '') return fail('subject: expected text')
  if (access !== 'read' && access !== 'write') return fail('access: expected "read" or "write"')
  if (spaces === '*') return { token, subject, spaces, access }
  if (!Array.isArray(spaces)) return fail('spaces: expected "*" or a list of names')
  try {
    return { token, subject, spaces: spaces.map((name) => parseSpaceName(String(name))), access }
  } catch (error) {
    return fail((error as Error).message)
  }
}

function subjectOf({ subject, spaces, access }: TokenGrant): Subject {
  const names = spaces === '*' ? undefined : new Set(spaces)
  return {
    subject,
    may: (space, wanted) => (wanted === 'read' || access === 'write') && (names?.has(space) ?? true),
  }
}

function digestOf(token: string): Buffer {
  return createHash('sha256').update(token).digest()
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
