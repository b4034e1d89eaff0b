import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openReplica, PackFormat } from '@tidemark/engine'
import { nodePlatform, openLevelStore } from '@tidemark/engine/node'
import type { BlobId, ChunkId } from '@tidemark/protocol'
import { parseSpaceName } from '@tidemark/protocol'
import { createHub } from '@tidemark/server-reference'
import { S3BlobStore } from '@tidemark/store-s3'
import { S3Double } from '@tidemark/store-s3/testing'
import { webSocketTransport } from '@tidemark/transport-ws'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { seededBytes } from '../packages/engine/test/bytes.js'

const SPACE = parseSpaceName('photos')
const TOKEN = 'secret'

let home: string
const running: { close(): Promise<void> }[] = []
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'tidemark-events-'))
})
afterEach(async () => {
  for (const each of running.splice(0).reverse()) await each.close()
  rmSync(home, { recursive: true })
})

async function started<T extends { close(): Promise<void> }>(starting: Promise<T>): Promise<T> {
  const one = await starting
  running.push(one)
  return one
}

/** As S3 says it. */
const putOf = (key: string) => ({
  Records: [{ eventName: 'ObjectCreated:Put', s3: { bucket: { name: 'bucket' }, object: { key } } }],
})

test('what a device had put before it was gone is not sent again, once the store has said that it came', async () => {
  const puts: string[] = []
  const double = await started(
    S3Double.start({
      directory: join(home, 'bucket'),
      onRequest: ({ method, url }) => {
        if (method === 'PUT' && url.includes('/photos/')) puts.push(url)
      },
    }),
  )
  const { endpoint, credentials } = double
  const store = await started(S3BlobStore.open({ bucket: 'bucket', endpoint, credentials }))
  const hub = await started(
    createHub({ dataDirectory: join(home, 'hub'), port: 0, token: TOKEN, blobs: store }),
  )
  const device = await started(
    openReplica({ storage: await openLevelStore(join(home, 'device')), platform: nodePlatform }),
  )
  device.connect(webSocketTransport(hub.url), { token: TOKEN })
  const space = await device.openSpace(SPACE)
  // A hub that knows of nothing reads all that is in its store.
  await space.write('first.txt', 'something')
  await space.settled({ signal: AbortSignal.timeout(10_000) })
  puts.length = 0

  // A pack of the file's one chunk, put as a device does, and nobody told the hub.
  const bytes = seededBytes(1, 16_000)
  const chunk = createHash('sha256').update(bytes).digest('hex') as ChunkId
  const pack = await new PackFormat(nodePlatform.hasher, nodePlatform.compressor).build([
    { id: chunk, bytes },
  ])
  const key = `${pack.id.slice(0, 2)}/photos/${pack.id}`
  double.plant(key, pack.bytes)
  // One that is nobody's, one of another bucket, and one that never came: nothing comes of them.
  const gone = 'ab'.repeat(32) as BlobId
  for (const notification of [
    putOf(`ab/photos/${gone}`),
    { Records: [{}] },
    putOf('else'),
    putOf(key),
    putOf(key),
  ]) {
    await hub.blobsCreated(store.onObjectCreated(notification))
  }

  await space.write('f.bin', bytes)
  await space.settled({ signal: AbortSignal.timeout(10_000) })
  expect(Buffer.from(await space.readFile('f.bin')).equals(Buffer.from(bytes))).toBe(true)
  expect(puts).toEqual([])
})
