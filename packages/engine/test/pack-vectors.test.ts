import { readFileSync } from 'node:fs'
import { bytesToHex, hexToBytes } from '@tidemark/protocol'
import { describe, expect, test } from 'vitest'
import { webCompressor } from '../src/browser/web-compressor.js'
import { type PackedChunk, PackFormat } from '../src/chunking/pack-format.js'
import { nodeCompressor } from '../src/node/node-compressor.js'
import { nodeHasher } from '../src/node/node-hasher.js'

interface Vectors {
  readonly good: readonly {
    readonly name: string
    readonly id: string
    readonly hex: string
    readonly chunks: readonly PackedChunk[]
  }[]
  readonly bad: readonly { readonly name: string; readonly code: string; readonly hex: string }[]
}
const { good, bad } = JSON.parse(
  readFileSync(new URL('vectors/packs.json', import.meta.url), 'utf8'),
) as Vectors

/** `packs.json` is read and never written: how well somebody compresses is no part of the format. */
describe.each([
  ['node:zlib', nodeCompressor],
  ['CompressionStream', webCompressor],
])('packs.json, by %s', (_, compressor) => {
  const packs = new PackFormat(nodeHasher, compressor)

  test.each(good)('$name', async ({ id, hex, chunks }) => {
    const bytes = hexToBytes(hex)
    expect(bytesToHex(nodeHasher.sha256(bytes))).toBe(id)
    expect(await packs.verify(bytes)).toEqual(chunks)
  })

  // What Node's own streams let pass is refused by those of pages.
  const seen =
    compressor === nodeCompressor ? bad : bad.filter(({ name }) => !name.startsWith('bytes behind'))
  test.each(seen)('refused: $name', async ({ hex, code }) => {
    await expect(packs.verify(hexToBytes(hex))).rejects.toMatchObject({ code })
  })
})
