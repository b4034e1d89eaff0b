import { DecodeError } from '../errors.js'
import {
  CHUNK_ID_BYTES,
  type ChunkId,
  type DeviceId,
  NODE_ID_BYTES,
  parseSpaceName,
  REPLICA_ID_BYTES,
  type RunId,
  type SpaceName,
  STATE_DIGEST_BYTES,
  type StateDigest,
} from '../ids.js'
import {
  CHANNELS_MAX,
  ENTRIES_PER_FRAME_MAX,
  ENTRY_BYTES_MAX,
  INLINE_BYTES_MAX,
  MEMBERS_MAX,
  TEXT_BYTES_MAX,
} from '../limits.js'
import type { Digest } from '../messages/digest.js'
import type { Entries, InlineChunk } from '../messages/entries.js'
import type { Ack, Acks, Members } from '../messages/members.js'
import type { Cursor, Open, Rewind } from '../messages/open.js'
import type { Refusal, Reject } from '../messages/reject.js'
import type { SyncPoint } from '../messages/sync-point.js'
import type { NodeEntry } from '../node-entry.js'
import { dotsCodec, idCodec, looseDotsCodec, vectorCodec } from './flat.js'
import { decodeNodeEntry, encodeNodeEntry, rememberEncoding } from './node-entry-codec.js'
import { bool, bytes, type Codec, choice, list, optional, record, required, text, uint } from './schema.js'

export const channelCodec: Codec<number> = {
  cddl: 'channel',
  write: (writer, value) => writer.uint(value),
  read: (reader, label) => {
    const value = reader.uint(label, CHANNELS_MAX)
    if (value === 0) throw new DecodeError(`${label}: channels start at 1`)
    return value
  },
}

const runId = idCodec<RunId>(REPLICA_ID_BYTES)

const spaceName: Codec<SpaceName> = {
  cddl: 'space-name',
  write: (writer, value) => writer.text(parseSpaceName(value)),
  read: (reader, label) => {
    try {
      return parseSpaceName(reader.text(label, 64))
    } catch (error) {
      if (error instanceof TypeError) throw new DecodeError(`${label}: ${error.message}`, { cause: error })
      throw error
    }
  },
}

/** An entry is a byte string, so that it can be stored, hashed and sent on as it came. */
const entryBytes: Codec<NodeEntry> = {
  cddl: 'encoded-entry',
  write: (writer, entry) => writer.bytes(encodeNodeEntry(entry)),
  read: (reader, label) => {
    const view = reader.bytes(label, ENTRY_BYTES_MAX)
    const entry = decodeNodeEntry(view)
    // A copy: the frame is somebody else's memory, and much larger.
    rememberEncoding(entry, view.slice())
    return entry
  },
}

/** [id, bytes]; that the bytes hash to the id is checked where they are stored. */
export const chunkBytes = (bytesMax: number): Codec<InlineChunk> => {
  const id = idCodec<ChunkId>(CHUNK_ID_BYTES)
  const body = bytes(bytesMax)
  return {
    cddl: 'inline-chunk',
    write: (writer, chunk) => {
      writer.arrayHeader(2)
      id.write(writer, chunk.id)
      body.write(writer, chunk.bytes)
    },
    read: (reader, label) => {
      if (reader.arrayHeader(label, 2) !== 2) throw new DecodeError(`${label}: expected id and bytes`)
      return { id: id.read(reader, label), bytes: body.read(reader, label) }
    },
  }
}

export const cursorRecord = record<Cursor>(
  'cursor',
  { run: required(1, runId), lseq: required(2, uint()) },
  { unknown: 'ignore' },
)

export const openRecord = record<Open>(
  'open',
  {
    space: required(1, spaceName),
    channel: required(2, channelCodec),
    frontier: required(3, vectorCodec),
    cursor: optional(4, cursorRecord),
    remembered: required(5, vectorCodec),
    met: required(6, vectorCodec),
    own: required(7, vectorCodec),
    readOnly: optional(8, bool),
    floor: required(9, vectorCodec),
    acked: required(10, vectorCodec),
    anew: optional(11, bool),
    number: required(12, uint()),
    answers: required(13, uint()),
    sweep: required(14, runId),
    basis: optional(15, runId),
    stranger: optional(16, bool),
    applied: optional(17, vectorCodec),
  },
  { unknown: 'ignore' },
)

export const rewindRecord = record<Rewind>(
  'rewind',
  {
    channel: required(1, channelCodec),
    reason: required(2, choice(['unknown-run', 'rolled-back', 'requested'] as const)),
  },
  { unknown: 'ignore' },
)

export const digestRecord = record<Digest>(
  'digest',
  {
    channel: required(1, channelCodec),
    frontier: required(2, vectorCodec),
    digest: required(3, idCodec<StateDigest>(STATE_DIGEST_BYTES)),
  },
  { unknown: 'ignore' },
)

export const entriesRecord = record<Entries>(
  'entries',
  {
    channel: required(1, channelCodec),
    run: required(2, runId),
    lseq: required(3, uint()),
    entries: required(4, list(entryBytes, ENTRIES_PER_FRAME_MAX)),
    inline: required(5, list(chunkBytes(INLINE_BYTES_MAX), ENTRIES_PER_FRAME_MAX)),
    repair: optional(6, bool),
  },
  { unknown: 'ignore' },
)

export const syncPointRecord = record<SyncPoint>(
  'sync-point',
  {
    channel: required(1, channelCodec),
    run: required(2, runId),
    lseq: required(3, uint()),
    frontier: required(4, vectorCodec),
    met: required(5, vectorCodec),
    lost: required(6, looseDotsCodec),
    floor: required(7, vectorCodec),
  },
  { unknown: 'ignore' },
)

const deviceId = idCodec<DeviceId>(REPLICA_ID_BYTES)

export const membersRecord = record<Members>(
  'members',
  {
    channel: required(1, channelCodec),
    epoch: required(2, uint()),
    devices: required(3, list(deviceId, MEMBERS_MAX)),
  },
  { unknown: 'ignore' },
)

const ackRecord = record<Ack>(
  'ack',
  {
    device: required(1, deviceId),
    epoch: required(2, uint()),
    applied: required(3, vectorCodec),
    stable: required(4, vectorCodec),
  },
  { unknown: 'ignore' },
)

export const acksRecord = record<Acks>(
  'acks',
  { channel: required(1, channelCodec), acks: required(2, list(ackRecord, MEMBERS_MAX)) },
  { unknown: 'ignore' },
)

export const refusalRecord = record<Refusal>(
  'refusal',
  {
    node: required(1, idCodec<string>(NODE_ID_BYTES)),
    dots: required(2, dotsCodec),
    code: required(3, text(TEXT_BYTES_MAX)),
    message: required(4, text(TEXT_BYTES_MAX)),
    accepted: optional(5, entryBytes),
  },
  { unknown: 'ignore' },
)

export const rejectRecord = record<Reject>(
  'reject',
  { channel: required(1, channelCodec), refusals: required(2, list(refusalRecord, ENTRIES_PER_FRAME_MAX)) },
  { unknown: 'ignore' },
)
