import { writeHex } from '../bytes.js'
import { DecodeError, LimitError } from '../errors.js'
import { type BlobId, CHUNK_ID_BYTES, type ChunkId, REPLICA_ID_BYTES, type UploadId } from '../ids.js'
import {
  BLOB_BYTES_MAX,
  CHUNK_BYTES_MAX,
  DISTRUSTED_BLOBS_MAX,
  FILE_BYTES_MAX,
  FRAME_BYTES_MAX,
  GRANT_HEADERS_MAX,
  IDS_PER_REQUEST_MAX,
  MANIFEST_HEIGHT_MAX,
  URL_BYTES_MAX,
} from '../limits.js'
import type {
  ChunkPlace,
  GrantPuts,
  Grants,
  Hint,
  HintedChunk,
  Locate,
  Located,
  Need,
  Needed,
  PutInline,
  Stored,
  StoredResult,
  Want,
  WantedVersion,
} from '../messages/blobs.js'
import type { Grant } from '../ports/blob-store.js'
import { channelCodec, chunkBytes } from './exchange-messages.js'
import { FlatReader, idCodec, idsCodec } from './flat.js'
import { type Codec, choice, list, nullable, optional, record, required, text, uint } from './schema.js'
import { varintLength, writeVarint } from './varint.js'

const ignore = { unknown: 'ignore' } as const
const chunkIds = idsCodec<ChunkId>(CHUNK_ID_BYTES, IDS_PER_REQUEST_MAX)
const blobIds = idsCodec<BlobId>(CHUNK_ID_BYTES, IDS_PER_REQUEST_MAX)
const distrustedIds = idsCodec<BlobId>(CHUNK_ID_BYTES, DISTRUSTED_BLOBS_MAX)

/** [name, value, name, value …], in ascending order of name. */
const headers: Codec<Readonly<Record<string, string>>> = {
  cddl: 'headers',
  write: (writer, value) => {
    const names = Object.keys(value).sort()
    items.write(
      writer,
      names.flatMap((name) => [name, value[name] ?? '']),
    )
  },
  read: (reader, label) => {
    const flat = items.read(reader, label)
    if (flat.length % 2 !== 0) throw new DecodeError(`${label}: a name without a value`)
    const pairs: [string, string][] = []
    for (let i = 0; i < flat.length; i += 2) {
      const name = flat[i]!
      const last = pairs[pairs.length - 1]
      if (last && last[0] >= name) throw new DecodeError(`${label}: names are not in ascending order`)
      pairs.push([name, flat[i + 1]!])
    }
    // Not by assignment: a header named __proto__ stays a header.
    return Object.fromEntries(pairs)
  },
}
const items = list(text(URL_BYTES_MAX), 2 * GRANT_HEADERS_MAX)

export const grantRecord = record<Grant>(
  'grant',
  {
    method: required(1, choice(['PUT', 'GET'] as const)),
    url: required(2, text(URL_BYTES_MAX)),
    headers: required(3, headers),
    expiresAtMs: required(4, uint()),
  },
  ignore,
)

function flatCount(count: number, label: string): void {
  if (count > IDS_PER_REQUEST_MAX) {
    throw new LimitError(`${label}: more than ${IDS_PER_REQUEST_MAX}`, 'IDS_PER_REQUEST_MAX', count)
  }
}

/** Records of an id and integers behind it, flat. */
function flatRecords<T>(
  cddl: string,
  numbersOf: (value: T) => readonly number[],
  idOf: (value: T) => string,
  make: (id: string, next: () => number) => T,
): Codec<readonly T[]> {
  return {
    cddl,
    write: (writer, values) => {
      flatCount(values.length, cddl)
      const numbers = values.map(numbersOf)
      const length = numbers.reduce(
        (n, row) => row.reduce((m, x) => m + varintLength(x), n + CHUNK_ID_BYTES),
        0,
      )
      const out = new Uint8Array(length)
      let at = 0
      for (const [i, value] of values.entries()) {
        const id = idOf(value)
        if (id.length !== CHUNK_ID_BYTES * 2) throw new TypeError(`${cddl}: ${id}`)
        writeHex(id, out, at)
        at += CHUNK_ID_BYTES
        for (const x of numbers[i]!) at = writeVarint(x, out, at)
      }
      writer.bytes(out)
    },
    read: (reader, label) => {
      const flat = new FlatReader(reader.bytes(label, FRAME_BYTES_MAX), label)
      const out: T[] = []
      while (!flat.done) {
        out.push(make(flat.id(CHUNK_ID_BYTES), () => flat.varint()))
        flatCount(out.length, label)
      }
      return out
    },
  }
}

function atMost(value: number, max: number, label: string): number {
  if (value > max) throw new LimitError(`${label}: ${value} is more than ${max}`, label, value)
  return value
}

type BlobSize = GrantPuts['blobs'][number]
const blobSizes = flatRecords<BlobSize>(
  'blob-sizes',
  (blob) => [blob.length],
  (blob) => blob.id,
  (id, next) => ({ id: id as BlobId, length: atMost(next(), BLOB_BYTES_MAX, 'blob length') }),
)

const chunkPlaces = flatRecords<ChunkPlace>(
  'chunk-places',
  (place) => [place.blob, place.offset, place.storedLength, place.codec, place.length],
  (place) => place.id,
  (id, next) => ({
    id: id as ChunkId,
    blob: next(),
    offset: atMost(next(), BLOB_BYTES_MAX, 'offset'),
    storedLength: atMost(next(), BLOB_BYTES_MAX, 'stored length'),
    codec: next(),
    length: atMost(next(), CHUNK_BYTES_MAX, 'chunk length'),
  }),
)

const wantedVersions = flatRecords<WantedVersion>(
  'wanted-versions',
  (version) => [version.height, version.size],
  (version) => version.root,
  (root, next) => ({
    root: root as ChunkId,
    height: atMost(next(), MANIFEST_HEIGHT_MAX, 'height'),
    size: atMost(next(), FILE_BYTES_MAX, 'size'),
  }),
)

const hintedChunks = flatRecords<HintedChunk>(
  'hinted-chunks',
  (chunk) => [chunk.length],
  (chunk) => chunk.id,
  (id, next) => ({ id: id as ChunkId, length: atMost(next(), CHUNK_BYTES_MAX, 'chunk length') }),
)

type BlobGrant = Located['blobs'][number]
export const blobGrantRecord = record<BlobGrant>(
  'blob-grant',
  { id: required(1, idCodec<BlobId>(CHUNK_ID_BYTES)), grant: required(2, grantRecord) },
  ignore,
)

const request = required(1, uint())
const channel = required(2, channelCodec)

export const needRecord = record<Need>('need', { request, channel, chunks: required(3, chunkIds) }, ignore)
export const neededRecord = record<Needed>('needed', { request, chunks: required(2, chunkIds) }, ignore)
export const grantPutsRecord = record<GrantPuts>(
  'grant-puts',
  { request, channel, blobs: required(3, blobSizes) },
  ignore,
)
export const grantsRecord = record<Grants>(
  'grants',
  { request, grants: required(2, list(nullable(grantRecord), IDS_PER_REQUEST_MAX)) },
  ignore,
)
export const storedRecord = record<Stored>(
  'stored',
  { request, channel, blobs: required(3, blobIds) },
  ignore,
)
export const storedResultRecord = record<StoredResult>(
  'stored-result',
  { request, blobs: required(2, blobIds) },
  ignore,
)
export const putInlineRecord = record<PutInline>(
  'put-inline',
  { request, channel, chunks: required(3, list(chunkBytes(CHUNK_BYTES_MAX), IDS_PER_REQUEST_MAX)) },
  ignore,
)
export const locateRecord = record<Locate>(
  'locate',
  { request, channel, chunks: required(3, chunkIds), distrusted: optional(4, distrustedIds) },
  ignore,
)
export const locatedRecord = record<Located>(
  'located',
  {
    request,
    blobs: required(2, list(blobGrantRecord, IDS_PER_REQUEST_MAX)),
    chunks: required(3, chunkPlaces),
  },
  {
    ...ignore,
    check: ({ blobs, chunks }) => {
      for (const { blob, offset, storedLength } of chunks) {
        if (blob >= blobs.length)
          throw new DecodeError('located.chunks: names a blob that is not in the answer')
        atMost(offset + storedLength, BLOB_BYTES_MAX, 'end of chunk')
      }
    },
  },
)
export const wantRecord = record<Want>(
  'want',
  { channel: required(1, channelCodec), versions: required(2, wantedVersions) },
  ignore,
)
export const hintRecord = record<Hint>(
  'hint',
  {
    channel: required(1, channelCodec),
    upload: required(2, idCodec<UploadId>(REPLICA_ID_BYTES)),
    size: required(3, uint()),
    offset: required(4, uint()),
    chunks: required(5, hintedChunks),
    root: optional(6, idCodec<ChunkId>(CHUNK_ID_BYTES)),
  },
  {
    ...ignore,
    check: ({ size, offset, chunks }) => {
      atMost(size, FILE_BYTES_MAX, 'size')
      const end = chunks.reduce((sum, { length }) => sum + length, offset)
      if (end > size) throw new DecodeError('hint: chunks behind the end of the file')
    },
  },
)
