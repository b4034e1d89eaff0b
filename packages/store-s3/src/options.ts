import type { S3ClientConfig } from '@aws-sdk/client-s3'

export interface S3BlobStoreOptions {
  /** Must exist: nothing creates it. */
  readonly bucket: string
  /** @default what the SDK finds in the environment; `us-east-1` where an `endpoint` is given */
  readonly region?: string
  /** URL of a store that is not AWS. @default that of the region at AWS */
  readonly endpoint?: string
  /** What grants name instead: the address by which clients reach the store; we must reach it, too. @default `endpoint` */
  readonly publicEndpoint?: string
  /** `https://host/bucket/key` instead of `https://bucket.host/key`. @default true where an `endpoint` is given */
  readonly pathStyle?: boolean
  /** What every key begins with: parts of `[A-Za-z0-9._-]`, each ended by `/`. @default '' */
  readonly prefix?: string
  /** @default the SDK's chain: environment, profile, container, instance */
  readonly credentials?: NonNullable<S3ClientConfig['credentials']>
  /** Milliseconds since 1970, for the expiry of grants. @default the system's clock */
  readonly clock?: { nowMs(): number }
  /** How long a grant is valid, milliseconds, whole seconds. @default GRANT_TTL_MS */
  readonly grantTtlMs?: number
  /** Tries of one request of ours (a grant's are the client's), the first included. @default 3 */
  readonly attemptsMax?: number
  /** Silence after which a request of ours is given up, milliseconds. @default 30,000 */
  readonly requestTimeoutMs?: number
}
