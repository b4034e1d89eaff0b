import { PackFormat } from '@tidemark/engine'
import { browserPlatform, openIndexedDbBlobStore, openIndexedDbStore } from '@tidemark/engine/browser'
import { runKeyValueStoreConformance } from '@tidemark/engine/testing'
import { hexToBytes } from '@tidemark/protocol'
import { runBlobStoreConformance } from '@tidemark/protocol/conformance'
import { expect, test } from 'vitest'
import { report } from './ask.js'
import { runAll } from './suite.js'

interface Packs {
  readonly good: readonly { readonly name: string; readonly hex: string; readonly chunks: unknown }[]
  readonly bad: readonly { readonly name: string; readonly code: string; readonly hex: string }[]
}

test('packs with compressed chunks are read, and bad ones refused, by the streams of a browser', async () => {
  const { hasher, compressor } = await browserPlatform()
  const packs = new PackFormat(hasher, compressor)
  const { good, bad } = (await (await fetch('/packs.json')).json()) as Packs
  for (const { name, hex, chunks } of good) {
    expect(await packs.verify(hexToBytes(hex)), name).toEqual(chunks)
  }
  for (const { name, code, hex } of bad) {
    const error = await packs.verify(hexToBytes(hex)).catch((thrown: unknown) => thrown)
    expect((error as { code?: string }).code, name).toBe(code)
  }
  const text = Uint8Array.from({ length: 3_000_000 }, (_, i) => 97 + ((i ^ (i >> 9)) % 20))
  const deflated = await compressor.deflate(text)
  expect(deflated!.length).toBeLessThan(text.length / 2)
  expect((await compressor.inflate(deflated!, text.length)).every((byte, i) => byte === text[i])).toBe(true)
})

/** The suites of both ports on the browser's own IndexedDB and locks. */
let names = 0

runKeyValueStoreConformance('IndexedDB', async () => ({ store: await openIndexedDbStore(`rows-${++names}`) }))

runBlobStoreConformance(
  'IndexedDB',
  async () => {
    const name = `blobs-${++names}`
    const { hasher } = await browserPlatform()
    let store = await openIndexedDbBlobStore(name, { hasher })
    return {
      store,
      reopen: async () => {
        await store.close()
        store = await openIndexedDbBlobStore(name, { hasher })
        return store
      },
      close: () => store.close(),
    }
  },
  { verifiesOnPut: true, grants: false },
)

report(async () => {
  const startedMs = performance.now()
  const rules = await runAll()
  const locked = await openIndexedDbStore('twice').then(async (store) => {
    const code = await openIndexedDbStore('twice').catch((error: { code: string }) => error.code)
    await store.close()
    return code
  })
  return { rules, locked, ms: Math.round(performance.now() - startedMs) }
})
