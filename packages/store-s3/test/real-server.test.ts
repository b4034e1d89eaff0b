import { randomBytes } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { CreateBucketCommand, HeadBucketCommand, S3Client } from '@aws-sdk/client-s3'
import { undiciBlobClient } from '@tidemark/engine/node'
import { beforeAll, describe } from 'vitest'
import { S3BlobStore, type S3BlobStoreOptions } from '../src/index.js'
import { S3Objects } from '../src/s3-objects.js'
import { runStoreSuite } from './store-suite.js'

/**
 * The suite of the double on a server that the environment names, with the SDK's own variables for the keys
 * (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION). `scripts/start-radosgw.sh` starts one.
 */
const {
  TIDEMARK_S3_BUCKET: bucket,
  TIDEMARK_S3_ENDPOINT: endpoint,
  TIDEMARK_S3_KIND: kind = 's3',
} = process.env

/** Grants of the suite end before it does: long enough for a slow machine. */
const GRANT_TTL_MS = 10_000

const place = { bucket: bucket!, ...(endpoint === undefined ? {} : { endpoint }) }

describe(`a server of the kind ${kind}`, () => {
  beforeAll(async () => {
    const client = new S3Client({
      ...(endpoint === undefined ? {} : { endpoint, forcePathStyle: true, region: 'us-east-1' }),
    })
    try {
      await client.send(new HeadBucketCommand({ Bucket: place.bucket }))
    } catch {
      await client.send(new CreateBucketCommand({ Bucket: place.bucket }))
    } finally {
      client.destroy()
    }
  })

  runStoreSuite(`s3, on ${kind}`, kind, async () => {
    const prefix = `tidemark-tests/${randomBytes(8).toString('hex')}/`
    const options: S3BlobStoreOptions = { ...place, prefix, grantTtlMs: GRANT_TTL_MS }
    const stores = [await S3BlobStore.open(options)]
    const client = undiciBlobClient({ baseUrl: 'ws://127.0.0.1:1/sync' })
    return {
      store: stores[0]!,
      client,
      expireGrants: async () => void (await delay(GRANT_TTL_MS + 1_000)),
      reopen: async () => {
        stores.push(await S3BlobStore.open(options))
        return stores.at(-1)!
      },
      close: async () => {
        await client.close()
        for (const store of stores) await store.close()
        await removeAll(prefix)
      },
    }
  })
})

async function removeAll(prefix: string): Promise<void> {
  const client = new S3Client({
    ...(endpoint === undefined ? {} : { endpoint, forcePathStyle: true, region: 'us-east-1' }),
  })
  const objects = new S3Objects(client, place.bucket)
  for await (const keys of objects.list(prefix)) await Promise.all(keys.map((key) => objects.delete(key)))
  client.destroy()
}
