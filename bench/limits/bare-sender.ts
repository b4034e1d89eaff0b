import { createHash } from 'node:crypto'
import { nodePlatform } from '@tidemark/engine/node'
import type { Grant } from '@tidemark/protocol'
import { seededSource } from '../huge/seeded-source.js'

const BODY_BYTES = 8 * (1 << 20)
const BODIES_AT_ONCE = 6

/** Hashes and puts the same bytes as the writer, with the same client, and asks nobody anything. */
const [url, size] = [process.argv[2]!, Number(process.argv[3])]
const client = nodePlatform.blobClient(url)
let next = 0
async function lane(): Promise<void> {
  const source = seededSource('limits', size)
  while (next < size) {
    const offset = next
    next += BODY_BYTES
    const body = await source.read(offset, Math.min(BODY_BYTES, size - offset))
    const id = createHash('sha256').update(body).digest('hex')
    const headers = { 'content-length': String(body.length) }
    const grant: Grant = {
      method: 'PUT',
      url: new URL(id, url).href,
      headers,
      expiresAtMs: Date.now() + 60_000,
    }
    await client.put(grant, body, {})
  }
}
await Promise.all(Array.from({ length: BODIES_AT_ONCE }, lane))
process.stdout.write('done\n')
await client.close()
