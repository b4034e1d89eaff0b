import type { BlobId, SpaceName } from '@tidemark/protocol'
import { describe, expect, test } from 'vitest'
import { createdBlobs } from '../src/created-blobs.js'
import { Layout } from '../src/layout.js'

const SPACE = 'photos' as SpaceName
const ID = 'ab'.repeat(32) as BlobId
const place = { bucket: 'tidemark', layout: new Layout('hub/') }
const KEY = place.layout.blob(SPACE, ID)

const record = (eventName: string, key: unknown, bucket = 'tidemark') => ({
  eventVersion: '2.1',
  eventSource: 'aws:s3',
  eventName,
  s3: { bucket: { name: bucket }, object: { key, size: 1_024, eTag: 'e', sequencer: '0A' } },
})

describe('blobs that a notification names', () => {
  test('by S3, and by a store that writes its events otherwise', () => {
    const other = 'cd'.repeat(32) as BlobId
    const notification = {
      Records: [
        record('ObjectCreated:Put', KEY),
        record('s3:ObjectCreated:CompleteMultipartUpload', place.layout.blob(SPACE, other)),
        record('ObjectCreated:Put', encodeURIComponent(KEY)),
      ],
    }
    expect(createdBlobs(notification, place)).toEqual([
      { space: SPACE, id: ID },
      { space: SPACE, id: other },
      { space: SPACE, id: ID },
    ])
  })

  test('by EventBridge', () => {
    const detail = { bucket: { name: 'tidemark' }, object: { key: KEY } }
    expect(createdBlobs({ 'detail-type': 'Object Created', detail }, place)).toEqual([
      { space: SPACE, id: ID },
    ])
    expect(createdBlobs({ 'detail-type': 'Object Deleted', detail }, place)).toEqual([])
  })

  test.each([
    ['another bucket', { Records: [record('ObjectCreated:Put', KEY, 'other')] }],
    ['another prefix', { Records: [record('ObjectCreated:Put', new Layout('else/').blob(SPACE, ID))] }],
    ['no prefix', { Records: [record('ObjectCreated:Put', new Layout('').blob(SPACE, ID))] }],
    ['a self-test', { Records: [record('ObjectCreated:Put', `hub/self-test/0011223344556677/${ID}`)] }],
    ['a shard that is not its own', { Records: [record('ObjectCreated:Put', `hub/00/${SPACE}/${ID}`)] }],
    ['a key that leads elsewhere', { Records: [record('ObjectCreated:Put', `hub/ab/../${ID}`)] }],
    ['a removal', { Records: [record('ObjectRemoved:Delete', KEY)] }],
    ['a key that cannot be decoded', { Records: [record('ObjectCreated:Put', '%')] }],
    ['a test of the channel', { Service: 'Amazon S3', Event: 's3:TestEvent', Bucket: 'tidemark' }],
    ['no records', { Records: [null, 5, {}, { s3: null }, record('ObjectCreated:Put', 7)] }],
    ['nothing', undefined],
    ['a text', 'Records'],
  ])('%s names none', (_, notification) => {
    expect(createdBlobs(notification, place)).toEqual([])
  })
})
