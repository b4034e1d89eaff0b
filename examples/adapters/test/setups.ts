import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { BlobStoreFixture, TransportFixture } from '@tidemark/protocol/conformance'
import { LogBlobStore } from '../src/log-blob-store.js'
import { tcpListener } from '../src/tcp-listener.js'
import { tcpTransport } from '../src/tcp-transport.js'

/** A listener on a free port, and what dials it. */
export async function setUpTransport(): Promise<TransportFixture> {
  const server = createServer({ noDelay: true }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const listener = tcpListener(server)
  return { transport: tcpTransport(port, '127.0.0.1'), listener, close: () => listener.close() }
}

/** An empty store in a directory of its own. */
export async function setUpBlobStore(): Promise<BlobStoreFixture> {
  const directory = await mkdtemp(join(tmpdir(), 'tidemark-log-'))
  const file = join(directory, 'blobs')
  let store = await LogBlobStore.open(file)
  return {
    store,
    reopen: async () => {
      await store.close()
      store = await LogBlobStore.open(file)
      return store
    },
    close: async () => {
      await store.close()
      await rm(directory, { recursive: true })
    },
  }
}
