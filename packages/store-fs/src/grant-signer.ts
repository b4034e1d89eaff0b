import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import { dirname } from 'node:path'
import {
  type BlobId,
  GrantExpiredError,
  parseBlobId,
  parseSpaceName,
  type SpaceName,
  StoreError,
} from '@tidemark/protocol'
import { type FileSystem, orUndefined } from './file-system.js'

export const SECRET_BYTES = 32

/** What a grant allows. A GET grant allows HEAD too, and has no length. */
export type GrantedRequest =
  | { readonly method: 'PUT'; readonly space: SpaceName; readonly id: BlobId; readonly length: number }
  | { readonly method: 'GET'; readonly space: SpaceName; readonly id: BlobId }

/** Why a URL is no valid grant. `reason` becomes the code in the HTTP answer. */
export class GrantRefusedError extends Error {
  override readonly name = 'GrantRefusedError'
  constructor(readonly reason: 'NOT_FOUND' | 'BAD_SIGNATURE') {
    super(reason === 'NOT_FOUND' ? 'no such resource' : 'the grant is not valid for this request')
  }
}

/**
 * Signs and checks URLs of the form
 *
 *     <prefix>/<space>/<id>?method=PUT&expires=<ms>&length=<bytes>&sig=<64 hex>
 *
 * `sig` is HMAC-SHA256 over method, space, id, length and expiry: no part can be exchanged for another. The prefix is
 * not signed: proxies may change it on the way.
 */
export class GrantSigner {
  constructor(
    private readonly secret: Uint8Array,
    /** Of the requests. */
    private readonly prefix: string,
    /** Of the URLs. */
    private readonly grantPrefix = prefix,
  ) {
    if (secret.length < SECRET_BYTES) throw new RangeError(`secret: at least ${SECRET_BYTES} bytes`)
  }

  url(request: GrantedRequest, expiresAtMs: number): string {
    const length = request.method === 'PUT' ? `&length=${request.length}` : ''
    const sig = this.#sign(request, expiresAtMs).toString('hex')
    return `${this.grantPrefix}/${request.space}/${request.id}?method=${request.method}&expires=${expiresAtMs}${length}&sig=${sig}`
  }

  /**
   * The grant in a request target, checked. The path is compared as it came, never decoded or normalized.
   * @throws {GrantRefusedError} other path, missing or repeated parameter, wrong signature.
   * @throws {GrantExpiredError} the signature is right and its time is over.
   */
  verify(target: string, nowMs: number): GrantedRequest {
    const question = target.indexOf('?')
    const path = question < 0 ? target : target.slice(0, question)
    const parts = path.startsWith(`${this.prefix}/`) ? path.slice(this.prefix.length + 1).split('/') : []
    if (parts.length !== 2) throw new GrantRefusedError('NOT_FOUND')
    let space: SpaceName
    let id: BlobId
    try {
      space = parseSpaceName(parts[0]!)
      id = parseBlobId(parts[1]!)
    } catch {
      throw new GrantRefusedError('NOT_FOUND')
    }
    const query = parseQuery(question < 0 ? '' : target.slice(question + 1))
    const expiresAtMs = decimal(query.get('expires'))
    const method = query.get('method')
    const sig = query.get('sig')
    if (expiresAtMs === undefined || sig === undefined || !/^[0-9a-f]{64}$/.test(sig)) {
      throw new GrantRefusedError('BAD_SIGNATURE')
    }
    let request: GrantedRequest
    if (method === 'PUT') {
      const length = decimal(query.get('length'))
      if (length === undefined) throw new GrantRefusedError('BAD_SIGNATURE')
      request = { method, space, id, length }
    } else if (method === 'GET' && !query.has('length')) {
      request = { method, space, id }
    } else {
      throw new GrantRefusedError('BAD_SIGNATURE')
    }
    if (!timingSafeEqual(this.#sign(request, expiresAtMs), Buffer.from(sig, 'hex'))) {
      throw new GrantRefusedError('BAD_SIGNATURE')
    }
    if (expiresAtMs <= nowMs) throw new GrantExpiredError('the grant has expired; ask for a new one')
    return request
  }

  #sign(request: GrantedRequest, expiresAtMs: number): Buffer {
    const length = request.method === 'PUT' ? String(request.length) : ''
    return createHmac('sha256', this.secret)
      .update(
        `tidemark grant 1\n${request.method}\n${request.space}\n${request.id}\n${length}\n${expiresAtMs}`,
      )
      .digest()
  }
}

/** Parameters that a grant may have, each at most once. */
function parseQuery(query: string): Map<string, string> {
  const result = new Map<string, string>()
  for (const pair of query.split('&')) {
    const equals = pair.indexOf('=')
    const name = equals < 0 ? pair : pair.slice(0, equals)
    if (result.has(name)) throw new GrantRefusedError('BAD_SIGNATURE')
    result.set(name, equals < 0 ? '' : pair.slice(equals + 1))
  }
  return result
}

/** A canonical decimal, so that one grant has one spelling. */
function decimal(text: string | undefined): number | undefined {
  return text !== undefined && /^(0|[1-9][0-9]{0,15})$/.test(text) ? Number(text) : undefined
}

/**
 * Reads the key at `path`, or makes one with mode 0600, durably: grants stay valid over a restart.
 * @throws {StoreError} the file exists and is no key.
 */
export async function loadOrCreateSecret(path: string, files: FileSystem): Promise<Uint8Array> {
  const existing = await orUndefined(files.open(path, 'r'))
  if (existing) {
    try {
      const text = (await existing.readFile('utf8')).trim()
      if (!/^[0-9a-f]{64}$/.test(text)) {
        throw new StoreError(`${path}: expected 64 hex digits; remove it to make a new key (open grants end)`)
      }
      return Buffer.from(text, 'hex')
    } finally {
      await existing.close()
    }
  }
  const secret = randomBytes(SECRET_BYTES)
  // Written aside and renamed: a crash must not leave half a key behind.
  const aside = `${path}.new`
  const handle = await files.open(aside, 'w', 0o600)
  try {
    await handle.chmod(0o600)
    await handle.writeFile(`${secret.toString('hex')}\n`)
    await handle.sync()
  } finally {
    await handle.close()
  }
  await files.rename(aside, path)
  if (process.platform !== 'win32') {
    const directory = await files.open(dirname(path), 'r')
    await directory.sync().finally(() => directory.close())
  }
  return secret
}
