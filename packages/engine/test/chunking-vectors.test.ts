import { expect, test } from 'vitest'
import { chunkingVectors } from './vectors/chunking.js'

/**
 * Cuts and roots are part of the format: other ones, and nothing that is stored would be found again.
 * Written anew by `npx vitest run packages/engine/test/chunking-vectors.test.ts -u`.
 */
test('chunking.json is what this code cuts', async () => {
  const content = `${JSON.stringify(await chunkingVectors(), null, 2)}\n`
  await expect(content).toMatchFileSnapshot('vectors/chunking.json')
})
