/** Where to dial, and against what relative grant URLs resolve. */
export interface Endpoint {
  /** ws:// or wss://, with a path. */
  readonly socketUrl: string
  /** http:// or https://, without the trailing path segment. */
  readonly httpBase: string
  /** Without credentials, for logs. */
  readonly label: string
}

const SOCKET_PROTOCOL: Readonly<Record<string, 'ws:' | 'wss:'>> = {
  'ws:': 'ws:',
  'http:': 'ws:',
  'wss:': 'wss:',
  'https:': 'wss:',
}

/**
 * @param text ws, wss, http or https; `/sync` is appended when there is no path.
 * @throws {TypeError} another scheme, or not a URL.
 */
export function parseEndpoint(text: string): Endpoint {
  const url = URL.canParse(text) ? new URL(text) : undefined
  const protocol = SOCKET_PROTOCOL[url?.protocol ?? '']
  if (url === undefined || protocol === undefined)
    throw new TypeError(`${text}: expected ws://, wss://, http:// or https://`)
  url.hash = ''
  if (url.pathname === '/' || url.pathname === '') url.pathname = '/sync'
  const secure = protocol === 'wss:'
  const base = `${secure ? 'https' : 'http'}://${url.host}${url.pathname.slice(0, url.pathname.lastIndexOf('/') + 1)}`
  const socketUrl = `${protocol}//${url.host}${url.pathname}${url.search}`
  return { socketUrl, httpBase: base, label: `${protocol}//${url.host}` }
}
