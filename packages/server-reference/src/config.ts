import { COLLECT_EVERY_MS } from '@tidemark/engine'
import { LEASE_MS, TOKEN_BYTES_MAX } from '@tidemark/protocol'
import { parseTokenGrant, readTokensFile, type TokenGrant } from './auth/token.js'
import { ConfigError } from './errors.js'
import { parseOrigins } from './http/origins.js'

/** How a hub is started. */
export interface HubConfigOptions {
  /** Everything the hub keeps is below it. Created if it is missing; one hub a directory. */
  readonly dataDirectory: string
  /** Address to listen on. Anything but loopback needs a token. @default '127.0.0.1' */
  readonly host?: string
  /** TCP port, 0 to 65,535; 0 takes a free one. @default 8080 */
  readonly port?: number
  /** One token that may read and write every space. */
  readonly token?: string
  readonly tokens?: readonly TokenGrant[]
  /** JSON file with more tokens, see `readTokensFile`. Read at start. */
  readonly tokensFile?: string
  /**
   * Web pages that may use the hub: their origins as browsers write them, such as `https://app.example`; `*` for
   * all, where every page needs a token. @default none
   */
  readonly origins?: readonly string[]
  /** Time that `close` gives sessions and requests to end, milliseconds, 0 to 600,000. @default 10,000 */
  readonly drainTimeoutMs?: number
  /**
   * Time a whole HTTP request may take, milliseconds. @default 1,500,000: 25 minutes, below the life of a
   * grant, and enough for the largest blob at 12 KiB/s
   */
  readonly requestTimeoutMs?: number
  /** TCP connections at once, 1 to 1,000,000. @default 10,000 */
  readonly connectionsMax?: number
  /** Reads every blob again that the index does not know, before a space's first answer. @default false */
  readonly rebuildIndex?: boolean
  /**
   * Days of silence after which nobody waits any more for a device before what was deleted is forgotten, above
   * 0 to 36,500. When it comes back it takes the state of the hub, and what only it had is new. @default 180
   */
  readonly evictAfterDays?: number
  /** Time from a change to the next acknowledgement and collection, milliseconds, 10 to 86,400,000. @default 600,000 */
  readonly collectEveryMs?: number
  /**
   * Days for which bytes are kept that nobody needs any more, 1 to 36,500; counted while the hub runs. A hub that is
   * put back to a backup needs what the backup shows. @default 30
   */
  readonly keepUnusedDays?: number
  /** Time from one search for such bytes to the next, milliseconds, 10 to 86,400,000. @default 86,400,000 */
  readonly sweepEveryMs?: number
  /**
   * Names of files and directories that the hub does not take, such as `*.exe`: `*` stands for any text, case does
   * not matter; at most 100, of at most 255 characters. What has such a name already keeps it. @default none
   */
  readonly refuseNames?: readonly string[]
  /** Bytes of the largest file that the hub takes, 1 or more. @default any */
  readonly fileBytesMax?: number
}

export const EVICT_AFTER_DAYS = 180
export const KEEP_UNUSED_DAYS = 30
const DAYS_MAX = 36_500
const DAY_MS = 24 * 3_600_000

/** Checked, with defaults. */
export interface HubConfig {
  readonly dataDirectory: string
  readonly host: string
  readonly port: number
  readonly tokens: readonly TokenGrant[]
  /** No token is asked for: only on loopback. */
  readonly anonymous: boolean
  readonly origins: readonly string[]
  readonly drainTimeoutMs: number
  readonly requestTimeoutMs: number
  readonly connectionsMax: number
  readonly rebuildIndex: boolean
  readonly evictAfterDays: number
  readonly collectEveryMs: number
  readonly keepUnusedDays: number
  readonly sweepEveryMs: number
  readonly refuseNames: readonly string[]
  readonly fileBytesMax: number | undefined
}

/**
 * @throws {ConfigError} INVALID_CONFIG: a value out of its bounds. UNSAFE_CONFIG: it would let strangers in.
 */
export async function resolveHubConfig(options: HubConfigOptions): Promise<HubConfig> {
  if (typeof options.dataDirectory !== 'string' || options.dataDirectory === '') {
    throw new ConfigError('INVALID_CONFIG', 'dataDirectory', 'expected a path')
  }
  const host = options.host ?? '127.0.0.1'
  if (host === '') throw new ConfigError('INVALID_CONFIG', 'host', 'expected an address')
  const tokens: TokenGrant[] = []
  if (options.token !== undefined) {
    if (options.token === '' || Buffer.byteLength(options.token) > TOKEN_BYTES_MAX) {
      throw new ConfigError('INVALID_CONFIG', 'token', `expected 1 to ${TOKEN_BYTES_MAX} bytes of text`)
    }
    tokens.push({ token: options.token, subject: 'token', spaces: '*', access: 'write' })
  }
  for (const [i, grant] of (options.tokens ?? []).entries())
    tokens.push(parseTokenGrant(grant, `tokens[${i}]`))
  if (options.tokensFile !== undefined) tokens.push(...(await readTokensFile(options.tokensFile)))
  const restricted = options.tokens !== undefined || options.tokensFile !== undefined
  if (tokens.length === 0 && restricted) {
    throw new ConfigError(
      'UNSAFE_CONFIG',
      'tokens',
      'a list of tokens was given and it is empty: nobody or everybody?',
    )
  }
  if (tokens.length === 0 && !isLoopback(host)) {
    throw new ConfigError(
      'UNSAFE_CONFIG',
      'host',
      `${host} can be reached from other machines: give a token, or listen on 127.0.0.1`,
    )
  }
  const origins = parseOrigins(options.origins ?? [])
  if (tokens.length === 0 && origins.includes('*')) {
    throw new ConfigError(
      'UNSAFE_CONFIG',
      'origins',
      'without a token every page that a browser on this machine shows could read and write: name the origins, or give a token',
    )
  }
  return {
    dataDirectory: options.dataDirectory,
    host,
    port: integer('port', options.port ?? 8080, 0, 65_535),
    tokens,
    anonymous: tokens.length === 0,
    origins,
    drainTimeoutMs: integer('drainTimeoutMs', options.drainTimeoutMs ?? 10_000, 0, 600_000),
    requestTimeoutMs: integer(
      'requestTimeoutMs',
      options.requestTimeoutMs ?? 25 * 60_000,
      1_000,
      24 * 3_600_000,
    ),
    connectionsMax: integer('connectionsMax', options.connectionsMax ?? 10_000, 1, 1_000_000),
    rebuildIndex: options.rebuildIndex ?? false,
    evictAfterDays: evictAfterDays(options.evictAfterDays ?? EVICT_AFTER_DAYS),
    collectEveryMs: integer('collectEveryMs', options.collectEveryMs ?? COLLECT_EVERY_MS, 10, DAY_MS),
    keepUnusedDays: keepUnusedDays(options.keepUnusedDays ?? KEEP_UNUSED_DAYS),
    sweepEveryMs: integer('sweepEveryMs', options.sweepEveryMs ?? DAY_MS, 10, DAY_MS),
    refuseNames: refuseNames(options.refuseNames ?? []),
    fileBytesMax:
      options.fileBytesMax === undefined
        ? undefined
        : integer('fileBytesMax', options.fileBytesMax, 1, Number.MAX_SAFE_INTEGER),
  }
}

/** Addresses that only this machine reaches. A name other than localhost may resolve to anything. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host)
}

function evictAfterDays(value: number): number {
  if (value > 0 && value <= DAYS_MAX) return value
  throw new ConfigError('INVALID_CONFIG', 'evictAfterDays', `expected a number above 0 and up to ${DAYS_MAX}`)
}

/** Less than a lease would break what was said to devices. */
function keepUnusedDays(value: number): number {
  const minDays = LEASE_MS / DAY_MS
  if (value >= minDays && value <= DAYS_MAX) return value
  throw new ConfigError(
    'INVALID_CONFIG',
    'keepUnusedDays',
    `expected a number from ${minDays} to ${DAYS_MAX}`,
  )
}

/** Few and short: each name of each write is held against each of them. */
function refuseNames(names: readonly string[]): readonly string[] {
  const isPossible = (name: string): boolean => name !== '' && name.length <= 255 && !/[/\0]/.test(name)
  if (names.length <= 100 && names.every(isPossible)) return names
  throw new ConfigError(
    'INVALID_CONFIG',
    'refuseNames',
    'expected at most 100 names of 1 to 255 characters, without /',
  )
}

function integer(option: string, value: number, min: number, max: number): number {
  if (!Number.isSafeInteger(value) || value < min || value > max) {
    throw new ConfigError('INVALID_CONFIG', option, `expected a whole number from ${min} to ${max}`)
  }
  return value
}
