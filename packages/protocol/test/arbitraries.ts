import fc from 'fast-check'
import type {
  Attr,
  BlobId,
  ChunkId,
  Content,
  Context,
  DeviceId,
  Dot,
  ExtraField,
  Grant,
  Hlc,
  Loc,
  Message,
  NodeEntry,
  NodeId,
  Refusal,
  Register,
  ReplicaId,
  RunId,
  Sibling,
  SpaceName,
  StateDigest,
  UploadId,
  Vector,
} from '../src/index.js'
import {
  BLOB_BYTES_MAX,
  CHANNELS_MAX,
  compareDots,
  contextHas,
  FILE_BYTES_MAX,
  HLC_COUNTER_MAX,
  HLC_MS_MAX,
  MANIFEST_HEIGHT_MAX,
  nameDefect,
  normalizeDots,
  ROOT,
  SEQ_MAX,
} from '../src/index.js'

const hex = (bytes: number) =>
  fc
    .uint8Array({ minLength: bytes, maxLength: bytes })
    .map((b) => [...b].map((x) => x.toString(16).padStart(2, '0')).join(''))

/** Few replicas, so that dots meet; now and then any. */
const rid: fc.Arbitrary<ReplicaId> = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom('aaaaaaaaaaaaaaaa', 'bbbbbbbbbbbbbbbb', '0000000000000001') },
  { weight: 1, arbitrary: hex(8) },
) as fc.Arbitrary<ReplicaId>
const seq = fc.oneof(
  { weight: 4, arbitrary: fc.integer({ min: 1, max: 6 }) },
  { weight: 1, arbitrary: fc.integer({ min: 1, max: SEQ_MAX }) },
)
const uint = fc.oneof(fc.integer({ min: 0, max: 300 }), fc.integer({ min: 0, max: SEQ_MAX }))
const nodeId = hex(16).filter((id) => id !== ROOT) as fc.Arbitrary<NodeId>
const chunkId = hex(32) as fc.Arbitrary<ChunkId>
const blobId = hex(32) as fc.Arbitrary<BlobId>
const runId = hex(8) as fc.Arbitrary<RunId>
const bytes = fc.uint8Array({ maxLength: 40 })
const text = fc.string({ unit: 'grapheme', maxLength: 20 })

export const arbitraryDot: fc.Arbitrary<Dot> = fc.record({ rid, seq })
const dots = fc.array(arbitraryDot, { maxLength: 5 }).map((list) => normalizeDots(list))
const vector = (min: 0 | 1): fc.Arbitrary<Vector> =>
  fc
    .array(fc.tuple(rid, min === 1 ? seq : fc.oneof(fc.constant(0), seq)), { maxLength: 5 })
    .map((list) => new Map(list))

export const arbitraryContext: fc.Arbitrary<Context> = fc.tuple(vector(1), dots).map(([v, list]) => ({
  vector: v,
  except: list.filter((dot) => (v.get(dot.rid) ?? 0) >= dot.seq),
}))

const hlc: fc.Arbitrary<Hlc> = fc.record({
  ms: fc.integer({ min: 0, max: HLC_MS_MAX }),
  counter: fc.integer({ min: 0, max: HLC_COUNTER_MAX }),
})

const name = fc
  .string({ unit: 'binary', minLength: 1, maxLength: 12 })
  .map((s) => s.normalize('NFC'))
  .filter((s) => nameDefect(s) === undefined)

const loc: fc.Arbitrary<Loc> = fc
  .record(
    {
      parent: fc.oneof(nodeId, fc.constant(ROOT)),
      name,
      dead: fc.boolean(),
      from: nodeId,
      seen: arbitraryContext,
      held: dots,
      pin: dots,
      alt: fc.constant(true as const),
      extra: extra(9),
    },
    { requiredKeys: ['parent', 'name', 'dead'] },
  )
  .filter((value) => value.name !== '.tidemark')

const held = fc.record(
  {
    root: chunkId,
    height: fc.integer({ min: 0, max: 5 }),
    size: fc.integer({ min: 0, max: FILE_BYTES_MAX }),
    mtimeMs: fc.integer({ min: -8.64e15, max: 8.64e15 }),
    base: chunkId,
    adopted: fc.constant(true as const),
    restores: dots,
    extra: extra(10),
  },
  { requiredKeys: ['root', 'height', 'size', 'mtimeMs'] },
)
const voided: fc.Arbitrary<Content> = fc.record(
  { height: fc.constant(0), size: fc.constant(0), mtimeMs: fc.constant(0), copies: dots },
  { requiredKeys: ['height', 'size', 'mtimeMs'] },
)
const fileContent: fc.Arbitrary<Content> = fc.oneof(held, voided)
const linkContent: fc.Arbitrary<Content> = fc.oneof(
  fc
    .tuple(
      held,
      text.map((s) => s.replaceAll('\0', '') || 'x'),
    )
    .map(([value, target]) => ({ ...value, target })),
  voided,
)
const attr: fc.Arbitrary<Attr> = fc.record(
  { executable: fc.boolean(), extra: extra(2) },
  { requiredKeys: ['executable'] },
)

/** Fields of a later version: number above those known, any MessagePack of the subset. */
function extra(from: number): fc.Arbitrary<readonly ExtraField[]> {
  const value = fc.constantFrom('c0', 'c3', '2a', '93c201a161', '8201c40101020d', 'd1ff00', 'a3616263')
  return fc
    .uniqueArray(fc.tuple(fc.integer({ min: from, max: 400 }), value), {
      selector: ([key]) => key,
      minLength: 1,
      maxLength: 3,
    })
    .map((list) =>
      list
        .sort((a, b) => a[0] - b[0])
        .map(([key, h]) => ({
          key,
          value: Uint8Array.from(h.match(/../g)!, (byte) => Number.parseInt(byte, 16)),
        })),
    )
}

/** Well-formed: sorted, no dot in its own context, none covering another. */
function register<V>(value: fc.Arbitrary<V>): fc.Arbitrary<Register<V>> {
  const sibling: fc.Arbitrary<Sibling<V>> = fc.record(
    { dot: arbitraryDot, ctx: arbitraryContext, hlc, value, extra: extra(5) },
    { requiredKeys: ['dot', 'ctx', 'hlc', 'value'] },
  )
  return fc.array(sibling, { maxLength: 4 }).map((siblings) => {
    const kept: Sibling<V>[] = []
    for (const next of siblings) {
      const clashes = kept.some(
        (other) =>
          compareDots(other.dot, next.dot) === 0 ||
          contextHas(other.ctx, next.dot) ||
          contextHas(next.ctx, other.dot),
      )
      if (!clashes && !contextHas(next.ctx, next.dot)) kept.push(next)
    }
    return kept.sort((a, b) => compareDots(a.dot, b.dot))
  })
}

const none = fc.constant([])
export const arbitraryNodeEntry: fc.Arbitrary<NodeEntry> = fc
  .constantFrom('file' as const, 'dir' as const, 'symlink' as const, 'mount' as const)
  .chain((kind) =>
    fc.record(
      {
        id: nodeId,
        kind: fc.constant(kind),
        loc: register(loc),
        content: kind === 'file' ? register(fileContent) : kind === 'symlink' ? register(linkContent) : none,
        attr: register(attr),
        extra: extra(6),
      },
      { requiredKeys: ['id', 'kind', 'loc', 'content', 'attr'] },
    ),
  )

const channel = fc.integer({ min: 1, max: CHANNELS_MAX })
const request = uint
const vector0 = vector(0)
const inline = fc.array(fc.record({ id: chunkId, bytes }), { maxLength: 3 })
const grant: fc.Arbitrary<Grant> = fc.record({
  method: fc.constantFrom('PUT' as const, 'GET' as const),
  url: text,
  headers: fc.dictionary(text, text, { maxKeys: 3, noNullPrototype: true }),
  expiresAtMs: uint,
})
const type = <T extends string>(value: T) => fc.constant(value)

const refusal: fc.Arbitrary<Refusal> = fc.record(
  { node: nodeId, dots, code: text, message: text, accepted: arbitraryNodeEntry },
  { requiredKeys: ['node', 'dots', 'code', 'message'] },
)

export const arbitraryMessages: {
  readonly [K in Message['type']]: fc.Arbitrary<Extract<Message, { type: K }>>
} = {
  hello: fc.record(
    {
      type: type('hello'),
      minor: fc
        .tuple(fc.nat(9), fc.nat(9))
        .map(([a, b]): [number, number] => [Math.min(a, b), Math.max(a, b)]),
      features: fc.array(text, { maxLength: 3 }),
      required: fc.array(text, { maxLength: 3 }),
      frameBytesMax: uint,
      device: hex(8) as fc.Arbitrary<DeviceId>,
      role: fc.constantFrom('hub' as const, 'replica' as const),
      agent: text,
      token: text,
    },
    { requiredKeys: ['type', 'minor', 'features', 'required', 'frameBytesMax', 'device', 'role', 'agent'] },
  ),
  open: fc.record(
    {
      type: type('open'),
      space: fc.stringMatching(/^[a-z0-9][a-z0-9._-]{0,20}$/) as fc.Arbitrary<SpaceName>,
      channel,
      frontier: vector0,
      cursor: fc.record({ run: runId, lseq: uint }),
      remembered: vector0,
      met: vector0,
      own: vector0,
      readOnly: fc.boolean(),
      floor: vector0,
      acked: vector0,
      anew: fc.boolean(),
      number: uint,
      answers: uint,
      sweep: runId,
      basis: runId,
      stranger: fc.boolean(),
      applied: vector0,
    },
    {
      requiredKeys: [
        'type',
        'space',
        'channel',
        'frontier',
        'remembered',
        'met',
        'own',
        'floor',
        'acked',
        'number',
        'answers',
        'sweep',
      ],
    },
  ),
  rewind: fc.record({
    type: type('rewind'),
    channel,
    reason: fc.constantFrom('unknown-run' as const, 'rolled-back' as const, 'requested' as const),
  }),
  entries: fc.record(
    {
      type: type('entries'),
      channel,
      run: runId,
      lseq: uint,
      entries: fc.array(arbitraryNodeEntry, { maxLength: 3 }),
      inline,
      repair: fc.boolean(),
    },
    { requiredKeys: ['type', 'channel', 'run', 'lseq', 'entries', 'inline'] },
  ),
  'sync-point': fc.record({
    type: type('sync-point'),
    channel,
    run: runId,
    lseq: uint,
    frontier: vector0,
    met: vector0,
    lost: fc.array(fc.record({ rid, seq: fc.oneof(fc.constant(0), seq) }), { maxLength: 3 }),
    floor: vector0,
  }),
  members: fc.record({
    type: type('members'),
    channel,
    epoch: uint,
    devices: fc.array(hex(8) as fc.Arbitrary<DeviceId>, { maxLength: 3 }),
  }),
  acks: fc.record({
    type: type('acks'),
    channel,
    acks: fc.array(
      fc.record({
        device: hex(8) as fc.Arbitrary<DeviceId>,
        epoch: uint,
        applied: vector0,
        stable: vector0,
      }),
      { maxLength: 3 },
    ),
  }),
  digest: fc.record({
    type: type('digest'),
    channel,
    frontier: vector0,
    digest: hex(32) as fc.Arbitrary<StateDigest>,
  }),
  fault: fc.record(
    {
      type: type('fault'),
      code: text,
      message: text,
      retry: fc.constantFrom('never' as const, 'later' as const, 'other-source' as const),
      retryAfterMs: uint,
      channel,
      request,
    },
    { requiredKeys: ['type', 'code', 'message', 'retry'] },
  ),
  ping: fc.record({ type: type('ping'), nonce: uint }),
  pong: fc.record({ type: type('pong'), nonce: uint }),
  reject: fc.record({ type: type('reject'), channel, refusals: fc.array(refusal, { maxLength: 3 }) }),
  need: fc.record({ type: type('need'), request, channel, chunks: fc.array(chunkId, { maxLength: 4 }) }),
  needed: fc.record({ type: type('needed'), request, chunks: fc.array(chunkId, { maxLength: 4 }) }),
  'grant-puts': fc.record({
    type: type('grant-puts'),
    request,
    channel,
    blobs: fc.array(fc.record({ id: blobId, length: fc.integer({ min: 0, max: BLOB_BYTES_MAX }) }), {
      maxLength: 4,
    }),
  }),
  grants: fc.record({ type: type('grants'), request, grants: fc.array(fc.option(grant), { maxLength: 3 }) }),
  stored: fc.record({ type: type('stored'), request, channel, blobs: fc.array(blobId, { maxLength: 4 }) }),
  'stored-result': fc.record({
    type: type('stored-result'),
    request,
    blobs: fc.array(blobId, { maxLength: 4 }),
  }),
  'put-inline': fc.record({ type: type('put-inline'), request, channel, chunks: inline }),
  locate: fc.record(
    {
      type: type('locate'),
      request,
      channel,
      chunks: fc.array(chunkId, { maxLength: 4 }),
      distrusted: fc.array(blobId, { maxLength: 2 }),
    },
    { requiredKeys: ['type', 'request', 'channel', 'chunks'] },
  ),
  located: fc
    .record({
      type: type('located'),
      request,
      blobs: fc.array(fc.record({ id: blobId, grant }), { minLength: 1, maxLength: 3 }),
      chunks: fc.array(
        fc.record({
          id: chunkId,
          blob: fc.nat(2),
          offset: fc.nat(1_000_000),
          storedLength: fc.nat(1_000_000),
          codec: fc.nat(1),
          length: fc.nat(1_000_000),
        }),
        { maxLength: 4 },
      ),
    })
    .map((m) => ({ ...m, chunks: m.chunks.filter((c) => c.blob < m.blobs.length) })),
  hint: fc.record(
    {
      type: type('hint'),
      channel,
      upload: hex(8) as fc.Arbitrary<UploadId>,
      size: fc.integer({ min: 8_000_000, max: 2 ** 40 }),
      offset: fc.nat(1_000_000),
      chunks: fc.array(fc.record({ id: chunkId, length: fc.nat(1_000_000) }), { maxLength: 4 }),
      root: chunkId,
    },
    { requiredKeys: ['type', 'channel', 'upload', 'size', 'offset', 'chunks'] },
  ),
  want: fc.record({
    type: type('want'),
    channel,
    versions: fc.array(
      fc.record({ root: chunkId, height: fc.nat(MANIFEST_HEIGHT_MAX), size: fc.nat(1_000_000) }),
      { maxLength: 4 },
    ),
  }),
}

export const arbitraryMessage: fc.Arbitrary<Message> = fc.oneof(
  ...(Object.values(arbitraryMessages) as fc.Arbitrary<Message>[]),
)
