import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import loadWabt from 'wabt'

const SOURCE = new URL('../src/chunking/gear.wat', import.meta.url)

/** Written anew by `npx vitest run packages/engine/test/gear-wasm.test.ts -u`. */
test('gear-wasm.ts is what gear.wat assembles to, less than browsers compile at once', async () => {
  const wabt = await loadWabt()
  const module = wabt.parseWat('gear.wat', await readFile(SOURCE))
  module.validate()
  const bytes = module.toBinary({}).buffer
  module.destroy()
  expect(bytes.length).toBeLessThan(4096)
  await expect(generated(bytes)).toMatchFileSnapshot('../src/chunking/gear-wasm.ts')
})

function generated(bytes: Uint8Array): string {
  const hex = Buffer.from(bytes).toString('hex')
  const lines = (hex.match(/.{1,96}/g) ?? []).map((line) => `  '${line}',`)
  return [
    "import { hexToBytes } from '@tidemark/protocol'",
    '',
    '/** `gear.wat`, assembled; a test compares both. */',
    'const LINES = [',
    ...lines,
    ']',
    '',
    "export const GEAR_WASM = hexToBytes(LINES.join(''))",
    '',
  ].join('\n')
}
