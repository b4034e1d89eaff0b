import { createHash, randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { json } from 'node:stream/consumers'
import { CreateBucketCommand, PutBucketNotificationConfigurationCommand, S3Client } from '@aws-sdk/client-s3'
import { SignatureV4 } from '@smithy/signature-v4'
import { MemoryKeyValueStore, openReplica, PackFormat } from '@tidemark/engine'
import { nodePlatform, undiciBlobClient } from '@tidemark/engine/node'
import { type ChunkId, parseSpaceName } from '@tidemark/protocol'
import { createHub } from '@tidemark/server-reference'
import { S3BlobStore } from '@tidemark/store-s3'
import { webSocketTransport } from '@tidemark/transport-ws'
import { afterEach, expect, test, vi } from 'vitest'
import { seededBytes } from '../packages/engine/test/bytes.js'

/**
 * Ceph's gateway tells a web server of each object, as it is documented for it. Runs where `scripts/start-radosgw.sh`
 * has started one.
 *
 * @see https://docs.ceph.com/en/pacific/radosgw/notifications/
 */
const SPACE = parseSpaceName('photos')
const bucket = `events-${randomBytes(4).toString('hex')}`
const endpoint = process.env.TIDEMARK_S3_ENDPOINT!
const client = new S3Client({ endpoint, forcePathStyle: true, region: 'us-east-1' })

const ending: (() => unknown)[] = []
afterEach(async () => {
  for (const end of ending.splice(0).reverse()) await end()
})

/** What SNS would do with one of its topics: the gateway understands this one request of it. */
async function createTopic(name: string, pushTo: string): Promise<string> {
  const url = new URL(endpoint)
  const body = new URLSearchParams({
    Action: 'CreateTopic',
    Name: name,
    'Attributes.entry.1.key': 'push-endpoint',
    'Attributes.entry.1.value': pushTo,
  }).toString()
  const { credentials, sha256 } = client.config
  const signer = new SignatureV4({ service: 's3', region: 'us-east-1', credentials, sha256 })
  const { headers } = await signer.sign({
    method: 'POST',
    protocol: url.protocol,
    hostname: url.hostname,
    path: '/',
    headers: { host: url.host, 'content-type': 'application/x-www-form-urlencoded' },
    body,
  })
  const answer = await fetch(url, { method: 'POST', headers, body })
  const [, arn] = /<TopicArn>(.*?)<\/TopicArn>/.exec(await answer.text()) ?? []
  if (arn === undefined) throw new Error(`no topic: ${answer.status}`)
  return arn
}

test('a hub hears from the gateway itself that a device had put a pack before it was gone', async () => {
  const told: unknown[] = []
  const receiver = createServer(async (request, response) => {
    told.push(await json(request))
    response.end()
  }).listen(0, '127.0.0.1')
  ending.push(
    () => receiver.close(),
    () => client.destroy(),
  )
  await new Promise((resolve) => receiver.once('listening', resolve))
  await client.send(new CreateBucketCommand({ Bucket: bucket }))
  const { port } = receiver.address() as AddressInfo
  const topic = await createTopic(bucket, `http://127.0.0.1:${port}/`)
  await client.send(
    new PutBucketNotificationConfigurationCommand({
      Bucket: bucket,
      NotificationConfiguration: {
        TopicConfigurations: [{ Id: 'tidemark', TopicArn: topic, Events: ['s3:ObjectCreated:*'] }],
      },
    }),
  )

  const store = await S3BlobStore.open({ bucket, endpoint, prefix: 'some/files/' })
  const dataDirectory = mkdtempSync(join(tmpdir(), 'tidemark-events-'))
  ending.push(
    () => rmSync(dataDirectory, { recursive: true }),
    () => store.close(),
  )
  const hub = await createHub({ dataDirectory, port: 0, token: 'secret', blobs: store })
  ending.push(() => hub.close())
  const blobs = undiciBlobClient({ baseUrl: hub.url })
  ending.push(() => blobs.close())

  const device = await openReplica({ storage: new MemoryKeyValueStore(), platform: nodePlatform })
  ending.push(() => device.close())
  device.connect(webSocketTransport(hub.url), { token: 'secret' })
  const space = await device.openSpace(SPACE)
  // A hub that knows of nothing reads all that is in its store.
  await space.write('first.txt', 'something')
  await space.settled({ signal: AbortSignal.timeout(20_000) })

  // A pack of two files, put as a device does, and nobody told the hub.
  const files = [seededBytes(1, 16_000), seededBytes(2, 16_000)]
  const { id, bytes: body } = await new PackFormat(nodePlatform.hasher, nodePlatform.compressor).build(
    files.map((bytes) => ({ id: createHash('sha256').update(bytes).digest('hex') as ChunkId, bytes })),
  )
  const grant = await store.grantPut(SPACE, { id, length: body.length })
  await blobs.put(grant, body, {})

  const created = () => told.flatMap((each) => store.onObjectCreated(each))
  await vi.waitFor(() => expect(created()).toContainEqual({ space: SPACE, id }), { timeout: 20_000 })
  await hub.blobsCreated(created())

  // Whoever has the same files has nothing to send: the next thing that comes to the bucket is not theirs.
  const before = created().length
  for (const [i, bytes] of files.entries()) {
    await space.write(`${i}.bin`, bytes)
    await space.settled({ signal: AbortSignal.timeout(20_000) })
    expect(Buffer.from(await space.readFile(`${i}.bin`)).equals(Buffer.from(bytes))).toBe(true)
  }
  await space.write('last.txt', 'something else')
  await space.settled({ signal: AbortSignal.timeout(20_000) })
  await vi.waitFor(() => expect(created().length).toBeGreaterThan(before), { timeout: 20_000 })
  expect(created()).toHaveLength(before + 1)
})
