import {
  type Content,
  type Entries,
  EXTRA_BYTES_MAX,
  encodeMessage,
  INLINE_BYTES_MAX,
  MEMBERS_MAX,
  type NodeEntry,
  type NodeId,
  type ReplicaId,
  type RunId,
  type Sibling,
} from '@tidemark/protocol'
import { expect, test } from 'vitest'
import type { SpaceSnapshot } from '../database/space-snapshot.js'
import { sendPage } from './send-page.js'

const hex = <T extends string>(n: number, bytes: number) => n.toString(16).padStart(2 * bytes, '0') as T

/** A file of which as many versions were written at once. */
function file(id: number, count: number): NodeEntry {
  const content = Array.from({ length: count }, (_, i): Sibling<Content> => {
    const root = hex<NonNullable<Content['root']>>(id * MEMBERS_MAX + i, 32)
    return {
      dot: { rid: hex<ReplicaId>(i + 1, 8), seq: id },
      ctx: { vector: new Map(), except: [] },
      hlc: { ms: 1, counter: 0 },
      value: { root, height: 0, size: 5, mtimeMs: 0 },
    }
  })
  return { id: hex<NodeId>(id, 16), kind: 'file', loc: [], content, attr: [] }
}

/** The frames in which these entries go, each checked to be one, when every version has inline bytes of this length. */
async function framesOf(entries: readonly NodeEntry[], inlineBytes: number): Promise<Entries[]> {
  const frames: Entries[] = []
  const snapshot = { nodes: async () => entries } as Partial<SpaceSnapshot> as SpaceSnapshot
  const bytes = new Uint8Array(inlineBytes)
  await sendPage(
    entries.map(({ id }, i) => ({ lseq: i + 1, node: id })),
    {
      snapshot,
      theirs: new Map(),
      cache: { get: () => bytes, put: () => undefined },
      frame: { type: 'entries', channel: 1, run: hex<RunId>(1, 8) },
      send: async (frame) => {
        encodeMessage(frame)
        frames.push(frame)
      },
    },
  )
  return frames
}

test.each([
  [100, INLINE_BYTES_MAX],
  [MEMBERS_MAX, 1],
])(
  '[SE8] %d versions of each file with %d inline bytes each go in frames that are none too long',
  async (count, inlineBytes) => {
    const entries = [1, 2, 3, 4, 5].map((id) => file(id, count))
    const frames = await framesOf(entries, inlineBytes)
    expect(frames.flatMap((frame) => frame.entries)).toEqual(entries)
    const came = new Set<string>()
    for (const { lseq, entries: nodes, inline } of frames) {
      for (const { id } of inline) came.add(id)
      const missing = nodes.flatMap(({ content }) => content).filter(({ value }) => !came.has(value.root!))
      expect(missing, 'bytes come no later than what names them').toEqual([])
      expect(nodes.every(({ id }) => Number.parseInt(id, 16) <= lseq)).toBe(true)
    }
  },
)

test('[SE8] what a later version added to entries counts when frames are filled', async () => {
  const long = new Uint8Array(EXTRA_BYTES_MAX - 100).fill(0xc0)
  const bytes = Uint8Array.from([0xc5, long.length >> 8, long.length & 0xff, ...long])
  const extra = Array.from({ length: 50 }, (_, i) => ({ key: 10 + i, value: bytes }))
  const entries = Array.from({ length: 10 }, (_, i) => ({ ...file(i + 1, 1), extra }))
  expect((await framesOf(entries, 1)).flatMap((frame) => frame.entries)).toEqual(entries)
})
