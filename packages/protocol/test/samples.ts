import type {
  BlobId,
  ChunkId,
  Context,
  DeviceId,
  Dot,
  Grant,
  Message,
  NodeEntry,
  NodeId,
  ReplicaId,
  RunId,
  SpaceName,
  StateDigest,
  UploadId,
} from '../src/index.js'
import { ROOT, SEQ_MAX } from '../src/index.js'

/** Fixed examples of everything on the wire, for vectors and for docs/protocol.md. */
const A = 'aaaaaaaaaaaaaaaa' as ReplicaId
const B = 'bbbbbbbbbbbbbbbb' as ReplicaId
const dot = (rid: ReplicaId, seq: number): Dot => ({ rid, seq })
const context = (entries: [ReplicaId, number][] = [], except: Dot[] = []): Context => ({
  vector: new Map(entries),
  except,
})
const RUN = '0102030405060708' as RunId
const NODE = '11111111111111111111111111111111' as NodeId
const DIR = '22222222222222222222222222222222' as NodeId
const chunk = (digit: string) => digit.repeat(64) as ChunkId
const blob = (digit: string) => digit.repeat(64) as BlobId
const grant: Grant = {
  method: 'PUT',
  url: '/v1/blobs/photos/ab?sig=cd',
  headers: { 'content-length': '1000', 'x-checksum': 'q6urqw==' },
  expiresAtMs: 1_700_000_000_000,
}

export const SAMPLE_ENTRIES: { readonly [name: string]: NodeEntry } = {
  'file with two concurrent versions': {
    id: NODE,
    kind: 'file',
    loc: [
      {
        dot: dot(A, 1),
        ctx: context(),
        hlc: { ms: 1_700_000_000_000, counter: 0 },
        value: { parent: ROOT, name: 'café.jpg', dead: false },
      },
    ],
    content: [
      {
        dot: dot(A, 300),
        ctx: context(
          [
            [A, 2],
            [B, 9],
          ],
          [dot(B, 7)],
        ),
        hlc: { ms: 1_700_000_000_001, counter: 3 },
        value: { root: chunk('a'), height: 1, size: 1_234_567, mtimeMs: 1_699_999_999_999, base: chunk('b') },
      },
      {
        dot: dot(B, 7),
        ctx: context(),
        hlc: { ms: 0, counter: 4_294_967_295 },
        value: { root: chunk('c'), height: 0, size: 5, mtimeMs: -1, adopted: true },
      },
    ],
    attr: [{ dot: dot(A, 3), ctx: context(), hlc: { ms: 1, counter: 1 }, value: { executable: true } }],
  },
  'deleted directory': {
    id: DIR,
    kind: 'dir',
    loc: [
      {
        dot: dot(B, SEQ_MAX),
        ctx: context([[A, 5]]),
        hlc: { ms: 281_474_976_710_655, counter: 1 },
        value: { parent: NODE, name: 'old', dead: true, seen: context([[A, 4]], [dot(A, 2)]) },
      },
    ],
    content: [],
    attr: [],
  },
  'moved symlink with a void, a pin and a field of a later version': {
    id: NODE,
    kind: 'symlink',
    loc: [
      {
        dot: dot(A, 9),
        ctx: context([[B, 2]]),
        hlc: { ms: 2, counter: 0 },
        value: { parent: DIR, name: 'link', from: ROOT, dead: false, held: [dot(A, 8)] },
      },
      {
        dot: dot(B, 3),
        ctx: context(),
        hlc: { ms: 3, counter: 0 },
        value: { parent: ROOT, name: 'link', dead: false, pin: [dot(A, 9), dot(B, 2)], alt: true },
        extra: [{ key: 9, value: Uint8Array.of(0x93, 1, 0xa1, 0x61, 0xc0) }],
      },
    ],
    content: [
      {
        dot: dot(A, 8),
        ctx: context(),
        hlc: { ms: 1, counter: 0 },
        value: { root: chunk('d'), height: 0, size: 6, mtimeMs: 5, target: '../a/b' },
      },
      {
        dot: dot(B, 4),
        ctx: context([[A, 7]]),
        hlc: { ms: 4, counter: 0 },
        value: { height: 0, size: 0, mtimeMs: 0, copies: [dot(A, 8)] },
      },
    ],
    attr: [],
  },
}

const [FILE] = Object.values(SAMPLE_ENTRIES)

export const SAMPLE_MESSAGES: { readonly [K in Message['type']]: Extract<Message, { type: K }> } = {
  hello: {
    type: 'hello',
    minor: [0, 0],
    features: ['inline'],
    required: [],
    frameBytesMax: 4_194_304,
    device: 'd0d0d0d0d0d0d0d0' as DeviceId,
    role: 'replica',
    token: 'secret',
    agent: 'tidemark/1.0',
  },
  open: {
    type: 'open',
    space: 'photos' as SpaceName,
    channel: 1,
    frontier: new Map([
      [A, 300],
      [B, 9],
    ]),
    cursor: { run: RUN, lseq: 70_000 },
    remembered: new Map([[B, 9]]),
    met: new Map([
      [A, 300],
      [B, 10],
    ]),
    own: new Map([[A, 300]]),
    readOnly: true,
    floor: new Map([[A, 12]]),
    acked: new Map([[B, 9]]),
    anew: true,
    number: 2,
    answers: 1,
    sweep: RUN,
    basis: RUN,
    stranger: true,
    applied: new Map([[B, 9]]),
  },
  rewind: { type: 'rewind', channel: 1, reason: 'rolled-back' },
  entries: {
    type: 'entries',
    channel: 1,
    run: RUN,
    lseq: 70_001,
    entries: [FILE!],
    inline: [{ id: chunk('c'), bytes: Uint8Array.of(104, 101, 108, 108, 111) }],
    repair: true,
  },
  members: {
    type: 'members',
    channel: 1,
    epoch: 3,
    devices: ['d0d0d0d0d0d0d0d0' as DeviceId, 'd1d1d1d1d1d1d1d1' as DeviceId],
  },
  acks: {
    type: 'acks',
    channel: 1,
    acks: [
      {
        device: 'd0d0d0d0d0d0d0d0' as DeviceId,
        epoch: 3,
        applied: new Map([[A, 300]]),
        stable: new Map([[A, 12]]),
      },
    ],
  },
  digest: {
    type: 'digest',
    channel: 1,
    frontier: new Map([[A, 300]]),
    digest: 'd9'.repeat(32) as StateDigest,
  },
  'sync-point': {
    type: 'sync-point',
    channel: 1,
    run: RUN,
    lseq: 70_001,
    frontier: new Map([
      [A, 300],
      [B, 9],
    ]),
    met: new Map([
      [A, 300],
      [B, 10],
    ]),
    lost: [{ rid: B, seq: 0 }],
    floor: new Map([[A, 12]]),
  },
  fault: {
    type: 'fault',
    code: 'FORBIDDEN',
    message: 'this token is for another space',
    retry: 'later',
    retryAfterMs: 5_000,
    channel: 1,
    request: 7,
  },
  ping: { type: 'ping', nonce: 1 },
  pong: { type: 'pong', nonce: 1 },
  reject: {
    type: 'reject',
    channel: 1,
    refusals: [
      { node: NODE, dots: [dot(A, 4), dot(A, 5)], code: 'NAME', message: 'no *.exe here' },
      {
        node: DIR,
        dots: [dot(B, 12)],
        code: 'RETAINED',
        message: 'nothing is deleted here',
        accepted: SAMPLE_ENTRIES['deleted directory']!,
      },
    ],
  },
  need: { type: 'need', request: 7, channel: 1, chunks: [chunk('a'), chunk('c')] },
  needed: { type: 'needed', request: 7, chunks: [chunk('a')] },
  'grant-puts': { type: 'grant-puts', request: 8, channel: 1, blobs: [{ id: blob('e'), length: 1_000 }] },
  grants: { type: 'grants', request: 8, grants: [grant, null] },
  stored: { type: 'stored', request: 9, channel: 1, blobs: [blob('e')] },
  'stored-result': { type: 'stored-result', request: 9, blobs: [blob('e')] },
  'put-inline': {
    type: 'put-inline',
    request: 10,
    channel: 1,
    chunks: [{ id: chunk('c'), bytes: Uint8Array.of(104, 101, 108, 108, 111) }],
  },
  locate: {
    type: 'locate',
    request: 11,
    channel: 1,
    chunks: [chunk('a'), chunk('c')],
    distrusted: [blob('e')],
  },
  located: {
    type: 'located',
    request: 11,
    blobs: [{ id: blob('e'), grant: { ...grant, method: 'GET', headers: {} } }],
    chunks: [{ id: chunk('a'), blob: 0, offset: 4_096, storedLength: 900, codec: 1, length: 5_000 }],
  },
  hint: {
    type: 'hint',
    channel: 1,
    upload: '0123456789abcdef' as UploadId,
    size: 9_000_000,
    offset: 4_096,
    chunks: [
      { id: chunk('a'), length: 5_000 },
      { id: chunk('c'), length: 7 },
    ],
    root: chunk('d'),
  },
  want: {
    type: 'want',
    channel: 1,
    versions: [
      { root: chunk('a'), height: 0, size: 5 },
      { root: chunk('c'), height: 2, size: 1_000_000 },
    ],
  },
}

export interface ContextSample {
  readonly name: string
  readonly parts: readonly Context[]
  readonly dots: readonly Dot[]
  readonly unobserved: readonly Dot[]
}
/** `makeContext` of these, `has` of every dot up to A:6 and B:6. */
export const SAMPLE_CONTEXTS: readonly ContextSample[] = [
  { name: 'nothing observed', parts: [], dots: [], unobserved: [dot(A, 1)] },
  { name: '4 but not 3', parts: [context()], dots: [dot(A, 4)], unobserved: [dot(A, 3)] },
  {
    name: 'an inherited exception that nobody observed stays',
    parts: [context([[A, 4]], [dot(A, 3)]), context([[B, 2]])],
    dots: [dot(A, 5), dot(B, 3)],
    unobserved: [dot(B, 1), dot(B, 6)],
  },
  {
    name: 'an exception that another part holds goes',
    parts: [context([[A, 4]], [dot(A, 3), dot(A, 2)]), context([[A, 3]], [dot(A, 2)])],
    dots: [dot(A, 2)],
    unobserved: [dot(A, 1)],
  },
]
