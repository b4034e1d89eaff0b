import { type BlobClient, TransportError } from '@tidemark/protocol'
import type { Compressor } from '../ports/compressor.js'
import type { Hasher } from '../ports/hasher.js'
import type { BlobAuthority } from './blob-authority.js'
import type { Pace } from './pace.js'
import type { RetryPolicy } from './retry.js'

/** What uploads and downloads of one space need. Sessions come and go while they run: hence functions. */
export interface TransferParts {
  /** The hub's word on bytes, by the session of now; `undefined`: there is none. */
  authority(): BlobAuthority | undefined
  /** Carries out the grants of that hub. */
  client(): BlobClient | undefined
  readonly hasher: Hasher
  readonly compressor: Compressor
  readonly retry: RetryPolicy
  /** Asked before each body. Shared by all spaces of a replica. */
  readonly pace: Pace
}

/** @throws {TransportError} no session: the retry policy waits for one. */
export function mustAuthority(parts: TransferParts): BlobAuthority {
  const authority = parts.authority()
  if (!authority) throw new TransportError('no session with a hub')
  return authority
}

/** @throws {TransportError} no session: the retry policy waits for one. */
export function mustClient(parts: TransferParts): BlobClient {
  const client = parts.client()
  if (!client) throw new TransportError('no session with a hub')
  return client
}
