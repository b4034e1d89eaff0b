import { bytesToHex, type ChunkId, type ChunkPlace, type Located } from '@tidemark/protocol'
import { beforeEach, describe, expect, test } from 'vitest'
import { seededBytes } from '../../engine/test/bytes.js'
import { SPACE } from './fixture.js'
import { DAY, type File, fileOf, KEEP_MS, packs, SweepWorld } from './sweep-world.js'

let world: SweepWorld
beforeEach(() => {
  world = new SweepWorld()
})

const idsOf = (...files: readonly File[]): ChunkId[] =>
  files.flatMap(({ pieces }) => pieces.map(({ id }) => id))

/** Text of one chunk. */
const textOf = (n: number): Promise<File> =>
  fileOf(Uint8Array.from({ length: 15_000 }, (_, i) => 97 + ((i * (n + 3)) % 23)))

async function stored(
  { blob, offset, storedLength }: ChunkPlace,
  { blobs }: Pick<Located, 'blobs'>,
): Promise<string> {
  return bytesToHex(await world.memory.read(SPACE, blobs[blob]!.id, { offset, length: storedLength }))
}

describe('compressed chunks', () => {
  test('[BG26] stay as they are when a pack is rewritten: nothing is compressed anew', async () => {
    const texts = await Promise.all(Array.from({ length: 8 }, (_, n) => textOf(n)))
    const noise = await fileOf(seededBytes(5, 100))
    await world.store({ ...noise, pieces: [...texts, noise].flatMap(({ pieces }) => pieces) })
    for (const [n, file] of [...texts, noise].entries()) await world.write(n, file.content)
    const kept = idsOf(...texts.slice(6), noise)
    const { authority } = await world.hub
    const before = await authority.locate(kept)
    expect(before.chunks.map(({ codec }) => codec)).toEqual([1, 1, 0])
    const bytes = await Promise.all(before.chunks.map((chunk) => stored(chunk, before)))
    for (let n = 0; n < 6; n++) await world.write(n, undefined)
    world.advance(DAY)
    await world.pass()
    world.advance(KEEP_MS)
    expect(await world.pass()).toMatchObject({ rewrittenBlobs: 1 })
    const after = await authority.locate(kept)
    expect(after.blobs).not.toEqual(before.blobs)
    expect(await Promise.all(after.chunks.map((chunk) => stored(chunk, after)))).toEqual(bytes)
    expect(await world.unreadable(kept)).toEqual([])
  })

  test('[BG21] of a manifest are read: nothing below it is condemned, and the content is not lacking', async () => {
    // Equal chunks: the node above them is compressed too.
    const zeros = await fileOf(new Uint8Array(3_000_000))
    await world.store(zeros)
    await world.write(1, zeros.content)
    const { authority, audit } = await world.hub
    const { chunks } = await authority.locate([zeros.content.root!])
    expect(chunks).toMatchObject([{ codec: 1 }])
    for (let pass = 0; pass < 3; pass++) {
      world.advance(KEEP_MS)
      expect(await world.pass()).toMatchObject({ condemnedBytes: 0 })
    }
    expect(await world.unreadable(idsOf(zeros))).toEqual([])
    const { root, height, size } = zeros.content
    expect(await audit.lacking([{ root: root!, height, size }])).toEqual([])
  })

  test('[TR1] that are not what was compressed are refused with their pack, and its upload may come again', async () => {
    const { authority } = await world.hub
    const text = await textOf(1)
    const [{ id, bytes }] = text.pieces as [File['pieces'][number]]
    const bomb = await packs.build([{ id, bytes: new Uint8Array(20), codec: 1, length: bytes.length }])
    const [grant] = await authority.grantPuts([{ id: bomb.id, length: bomb.bytes.length }])
    await world.memory.client.put(grant!, bomb.bytes, {})
    expect(await authority.stored([bomb.id])).toEqual([])
    expect(await authority.need([id])).toEqual([id])
    expect(world.log.lines).toContainEqual(expect.objectContaining({ event: 'blob-refused', code: 'DECODE' }))
    await world.store(text)
    expect(await authority.need([id])).toEqual([])
  })
})
