import { BlobMismatchError, StoreError, SyncError } from '@tidemark/protocol'
import type { SelfTestReport } from './self-test-report.js'

/** The store cannot do what a blob store must. Nothing was kept in it. */
export class UnfitStoreError extends SyncError {
  override readonly name = 'UnfitStoreError'
  readonly code = 'STORE_UNFIT'
  readonly retry = 'never'
  constructor(
    message: string,
    readonly report: SelfTestReport,
  ) {
    super(message)
  }
}

/** Codes by which stores say that a body is not what its headers promise. */
const MISMATCHES: readonly string[] = [
  'BadDigest',
  'XAmzContentSHA256Mismatch',
  'XAmzContentChecksumMismatch',
  'IncompleteBody',
]

interface Failure {
  readonly name: string
  readonly message: string
  readonly $metadata?: { readonly httpStatusCode?: number }
  readonly $response?: { readonly statusCode?: number }
}

/** The HTTP status with which the store answered; `undefined` where it did not answer. */
export function statusOf(error: unknown): number | undefined {
  const { $metadata, $response } = error as Failure
  return $metadata?.httpStatusCode ?? $response?.statusCode
}

/**
 * Runs calls of the SDK; what they throw becomes an error of the protocol.
 * @param blob What a mismatch is about.
 * @throws the signal's reason, {BlobMismatchError}, {StoreError} with the status where there was an answer.
 */
export async function translated<T>(
  blob: string,
  signal: AbortSignal | undefined,
  run: () => Promise<T>,
): Promise<T> {
  signal?.throwIfAborted()
  try {
    return await run()
  } catch (error) {
    signal?.throwIfAborted()
    if (error instanceof SyncError || error instanceof RangeError) throw error
    const { name, message } = error as Failure
    const status = statusOf(error)
    if (status === 400 && MISMATCHES.includes(name)) throw new BlobMismatchError(blob)
    const cause = { cause: error }
    if (status === undefined) throw new StoreError(`blob store: ${message}`, undefined, cause)
    throw new StoreError(`blob store: status ${status} ${name}${adviceFor(status, name)}`, status, cause)
  }
}

function adviceFor(status: number, name: string): string {
  if (name === 'NoSuchBucket') return ': create the bucket, or name another'
  if (name === 'RequestTimeTooSkewed') return ': the clocks of this machine and of the store differ'
  if (status === 301 || status === 307) return ': the bucket is in another region, or at another endpoint'
  if (status === 403) return ': the keys are wrong, or they may not do this; see the policy in the README'
  return ''
}
