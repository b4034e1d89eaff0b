import { describe, expect, test } from 'vitest'
import { compressorRules } from '../../test/compressor-rules.js'
import { nodeCompressor } from '../node/node-compressor.js'
import { webCompressor } from './web-compressor.js'

/** Over the streams that Node has as browsers do. Its own ones let bytes behind the end of a stream pass: those of pages do not. */
describe('CompressionStream', () => {
  compressorRules(webCompressor)

  test('each reads what the other makes', async () => {
    const bytes = Uint8Array.from({ length: 100_000 }, (_, i) => i % 50)
    expect(await webCompressor.inflate((await nodeCompressor.deflate(bytes))!, bytes.length)).toEqual(bytes)
    expect(await nodeCompressor.inflate((await webCompressor.deflate(bytes))!, bytes.length)).toEqual(bytes)
  })
})
