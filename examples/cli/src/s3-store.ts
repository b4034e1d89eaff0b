import type { Logger } from '@tidemark/server-reference'
import type { S3BlobStore, S3BlobStoreOptions } from '@tidemark/store-s3'
import { type Invocation, textOption, UsageError } from './args.js'

/** Flag → option of the store. */
const FLAGS = {
  's3-bucket': 'bucket',
  's3-endpoint': 'endpoint',
  's3-public-endpoint': 'publicEndpoint',
  's3-region': 'region',
  's3-prefix': 'prefix',
} as const

/** @returns `undefined` where no flag names S3. @throws {UsageError} */
export function s3Options(invocation: Invocation): S3BlobStoreOptions | undefined {
  const given: Record<string, string> = {}
  for (const [flag, option] of Object.entries(FLAGS)) {
    const value = textOption(invocation, flag)
    if (value === '') throw new UsageError(`--${flag} is empty`)
    if (value !== undefined) given[option] = value
  }
  if (Object.keys(given).length === 0) return undefined
  const { bucket, ...rest } = given
  if (bucket === undefined) throw new UsageError('--s3-bucket is missing')
  for (const flag of ['s3-endpoint', 's3-public-endpoint'] as const) {
    const url = given[FLAGS[flag]]
    if (url !== undefined && !(URL.canParse(url) && /^https?:/.test(url))) {
      throw new UsageError(`--${flag} ${url}: expected a URL, http or https`)
    }
  }
  const { prefix } = given
  if (prefix !== undefined && !prefix.endsWith('/')) {
    throw new UsageError(`--s3-prefix ${prefix}: expected a slash at the end`)
  }
  return { bucket, ...rest }
}

/** Opens the store, and says in the log what it cannot do. @throws {UnfitStoreError}, {StoreError} */
export async function openS3Store(options: S3BlobStoreOptions, logger: Logger): Promise<S3BlobStore> {
  // The SDK would say at every start that its later versions want a later Node.
  process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= 'true'
  // Only here: no other command pays for loading the SDK.
  const { S3BlobStore } = await import('@tidemark/store-s3')
  const store = await S3BlobStore.open(options)
  const { bind, verifiesOnPut, checks } = store.report
  logger.info('s3-store-opened', { bucket: options.bucket, bind, verifiesOnPut })
  for (const { check, holds, detail } of checks) if (!holds) logger.warn('s3-store-lacks', { check, detail })
  return store
}
