import { type BlobId, parseBlobId, parseSpaceName, type SpaceName } from '@tidemark/protocol'
import type { Layout } from './layout.js'

/** A blob that a store says was put. */
export interface CreatedBlob {
  readonly space: SpaceName
  readonly id: BlobId
}

interface Place {
  readonly bucket: string
  readonly layout: Layout
}

/**
 * The blobs in a notification of S3 that are of this bucket and prefix: as S3, radosgw and others send it
 * (`Records`), or EventBridge does (`detail`). Anything else that such a channel carries names none.
 *
 * @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
 */
export function createdBlobs(notification: unknown, place: Place): CreatedBlob[] {
  return objectsIn(notification).flatMap(({ bucket, key }) => {
    const blob = bucket === place.bucket ? blobAt(key, place.layout) : undefined
    return blob ? [blob] : []
  })
}

function* objects(notification: unknown): Generator<{ bucket: unknown; key: string }> {
  const { Records: records, detail, 'detail-type': type } = asRecord(notification)
  if (type === 'Object Created') {
    const { bucket, object } = asRecord(detail)
    const { key } = asRecord(object)
    if (typeof key === 'string') yield { bucket: asRecord(bucket).name, key }
  }
  for (const each of Array.isArray(records) ? records : []) {
    const { eventName, s3 } = asRecord(each)
    // AWS says `ObjectCreated:Put`, others `s3:ObjectCreated:Put`.
    if (typeof eventName !== 'string' || !/^(s3:)?ObjectCreated:/.test(eventName)) continue
    const { bucket, object } = asRecord(s3)
    const key = decoded(asRecord(object).key)
    if (key !== undefined) yield { bucket: asRecord(bucket).name, key }
  }
}

const objectsIn = (notification: unknown): { bucket: unknown; key: string }[] => [...objects(notification)]

const asRecord = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : {}

/** Keys come as in a form: `+` is a space. */
function decoded(key: unknown): string | undefined {
  if (typeof key !== 'string') return undefined
  try {
    return decodeURIComponent(key.replaceAll('+', ' '))
  } catch {
    return undefined
  }
}

/** `undefined`: no blob's key. */
function blobAt(key: string, layout: Layout): CreatedBlob | undefined {
  const [, space = '', name = ''] = key.slice(layout.prefix.length).split('/')
  try {
    const blob = { space: parseSpaceName(space), id: parseBlobId(name) }
    return layout.blob(blob.space, blob.id) === key ? blob : undefined
  } catch {
    return undefined
  }
}
