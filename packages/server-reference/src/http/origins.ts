import { ConfigError } from '../errors.js'

/** Of a page's origin as browsers send it: what is longer is none. */
const ORIGIN_CHARS_MAX = 300
const ANY = '*'

/**
 * Which web pages may use the hub. A browser says with every WebSocket and every request to another origin which
 * page asks, and a page cannot change it; other programs say nothing, and are not asked.
 */
export class Origins {
  readonly #origins: ReadonlySet<string>

  /** @param origins Checked by `parseOrigins`. */
  constructor(origins: readonly string[]) {
    this.#origins = new Set(origins)
  }

  allows(origin: string): boolean {
    return this.#origins.has(ANY) || this.#origins.has(origin)
  }
}

/**
 * Origins as browsers write them: scheme, host and a port that is not the scheme's own; or `*`.
 *
 * @throws {ConfigError} INVALID_CONFIG
 */
export function parseOrigins(origins: readonly string[]): readonly string[] {
  for (const origin of origins) {
    if (origin !== ANY && !isOrigin(origin)) {
      throw new ConfigError(
        'INVALID_CONFIG',
        'origins',
        `${JSON.stringify(origin)}: expected an origin such as https://app.example or http://localhost:8081, or *`,
      )
    }
  }
  return origins
}

function isOrigin(text: string): boolean {
  if (typeof text !== 'string' || text.length > ORIGIN_CHARS_MAX || !URL.canParse(text)) return false
  // A pattern would be taken for a name that nobody has.
  if (text.includes(ANY)) return false
  const { protocol, origin } = new URL(text)
  if (protocol === 'http:' || protocol === 'https:') return origin === text
  // Those of shells around pages: chrome-extension://…, app://…
  return /^[a-z][a-z0-9+.-]*:\/\/[a-z0-9._-]+(:\d{1,5})?$/.test(text)
}
