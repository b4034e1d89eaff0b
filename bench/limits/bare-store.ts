import { createHash } from 'node:crypto'
import { open, rename } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'

/** Keeps bodies by their hash, durable before it answers, and knows nothing else. */
const directory = process.argv[2]!
let count = 0
const server = createServer(async (request, response) => {
  const path = join(directory, `part-${count++}`)
  const file = await open(path, 'wx')
  const hash = createHash('sha256')
  for await (const part of request as AsyncIterable<Buffer>) {
    hash.update(part)
    await file.write(part)
  }
  await file.datasync()
  await file.close()
  await rename(path, join(directory, hash.digest('hex')))
  response.end()
}).listen(0, '127.0.0.1', () => {
  process.stdout.write(`http://127.0.0.1:${(server.address() as AddressInfo).port}/\n`)
})
