/** Puts blobs without end until it is killed: `node crash-child.mjs <directory>`. */
import { createHash, randomBytes } from 'node:crypto'
import { parseBlobId, parseSpaceName } from '@tidemark/protocol'
import { fsBlobStore } from '../src/index.js'

const store = fsBlobStore({ directory: process.argv[2]! })
const space = parseSpaceName('photos')

async function worker(): Promise<never> {
  for (;;) {
    const bytes = randomBytes(1_000_000 + randomBytes(1)[0]! * 4_000)
    const id = parseBlobId(createHash('sha256').update(bytes).digest('hex'))
    await store.put(space, id, bytes)
    process.stdout.write(`${id}\n`)
  }
}

await Promise.all([worker(), worker(), worker()])
