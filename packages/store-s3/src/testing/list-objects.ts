import type { ObjectFiles } from './object-files.js'
import { escapeXml, S3Error } from './s3-error.js'
import { queryValue, type S3Request } from './s3-request.js'

const PAGE_MAX = 1_000

/** ListObjectsV2: keys ascending, one page. @returns XML. @throws {S3Error} */
export function listObjects(
  request: S3Request,
  files: ObjectFiles,
  isListed: (modifiedMs: number) => boolean,
): string {
  if (queryValue(request, 'list-type') !== '2') throw new S3Error(501, 'NotImplemented', 'only ListObjectsV2')
  if (queryValue(request, 'delimiter')) throw new S3Error(501, 'NotImplemented', 'delimiter')
  const prefix = queryValue(request, 'prefix') ?? ''
  const max = Math.min(PAGE_MAX, Number(queryValue(request, 'max-keys') ?? PAGE_MAX))
  const token = queryValue(request, 'continuation-token')
  const after = token === undefined ? (queryValue(request, 'start-after') ?? '') : keyOf(token)
  const keys = files.keys().filter((key) => key.startsWith(prefix) && key > after)
  const objects = keys.map((key) => files.get(key)!).filter(({ modifiedMs }) => isListed(modifiedMs))
  const page = objects.slice(0, max)
  const isTruncated = objects.length > page.length
  const contents = page.map(
    ({ key, length, etag, modifiedMs }) =>
      `<Contents><Key>${escapeXml(key)}</Key><LastModified>${new Date(modifiedMs).toISOString()}</LastModified>` +
      `<ETag>${escapeXml(etag)}</ETag><Size>${length}</Size><StorageClass>STANDARD</StorageClass></Contents>`,
  )
  const next = isTruncated
    ? `<NextContinuationToken>${tokenOf(page.at(-1)!.key)}</NextContinuationToken>`
    : ''
  return (
    `<?xml version="1.0" encoding="UTF-8"?>\n<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">` +
    `<Name>${escapeXml(request.bucket)}</Name><Prefix>${escapeXml(prefix)}</Prefix><MaxKeys>${max}</MaxKeys>` +
    `<KeyCount>${page.length}</KeyCount><IsTruncated>${isTruncated}</IsTruncated>${next}${contents.join('')}` +
    `</ListBucketResult>`
  )
}

/** Opaque, as S3's are. */
const tokenOf = (key: string): string => Buffer.from(key).toString('base64url')
const keyOf = (token: string): string => Buffer.from(token, 'base64url').toString()
