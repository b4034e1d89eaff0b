import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { runTransportConformance } from '@tidemark/protocol/conformance'
import { webSocketListener, webSocketTransport } from '../src/index.js'

runTransportConformance('ws', async () => {
  const server = createServer()
  const listener = webSocketListener({ server })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    transport: webSocketTransport(`ws://127.0.0.1:${port}`),
    listener,
    close: async () => {
      await listener.close()
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
})
