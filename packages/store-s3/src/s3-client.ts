import { S3Client } from '@aws-sdk/client-s3'
import type { S3BlobStoreOptions } from './options.js'

const CONNECT_TIMEOUT_MS = 10_000
/** Many sessions ask at once whether blobs are there. */
const SOCKETS_MAX = 256

export function makeClient(options: S3BlobStoreOptions): S3Client {
  const { endpoint, region, credentials } = options
  return new S3Client({
    ...(endpoint === undefined ? {} : { endpoint, region: region ?? 'us-east-1' }),
    ...(region === undefined ? {} : { region }),
    ...(credentials === undefined ? {} : { credentials }),
    forcePathStyle: isPathStyle(options),
    // Grants are signed for the endpoint that was given here: another one from the environment would part them.
    ignoreConfiguredEndpointUrls: true,
    // Otherwise the crc32 of every body stands beside the SHA-256 that we send.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    maxAttempts: options.attemptsMax ?? 3,
    requestHandler: {
      connectionTimeout: CONNECT_TIMEOUT_MS,
      socketTimeout: options.requestTimeoutMs ?? 30_000,
      httpAgent: { keepAlive: true, maxSockets: SOCKETS_MAX },
      httpsAgent: { keepAlive: true, maxSockets: SOCKETS_MAX },
    },
  })
}

/** Where the bucket is for those who hold a grant. @throws {TypeError} no region, no URL. */
export async function publicBucketUrl(client: S3Client, options: S3BlobStoreOptions): Promise<URL> {
  const endpoint = options.publicEndpoint ?? options.endpoint
  try {
    const { url } = client.config.endpointProvider({
      Bucket: options.bucket,
      Region: await client.config.region(),
      ForcePathStyle: isPathStyle(options),
      ...(endpoint === undefined ? {} : { Endpoint: endpoint }),
    })
    return url
  } catch (error) {
    throw new TypeError(`S3: ${(error as Error).message}`, { cause: error })
  }
}

const isPathStyle = ({ pathStyle, endpoint }: S3BlobStoreOptions): boolean =>
  pathStyle ?? endpoint !== undefined
