import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { parseArgs } from 'node:util'
import { answerFile } from './static-files.js'

/** Serves the page on this machine, until it is interrupted. */
const { values } = parseArgs({ options: { port: { type: 'string', default: '8081' } } })

const server = createServer((request, response) => {
  answerFile(request, response).catch((error: Error) => {
    process.stderr.write(`${error.message}\n`)
    response.destroy()
  })
})
server.listen(Number(values.port), '127.0.0.1', () => {
  const { port } = server.address() as AddressInfo
  process.stdout.write(`page ready at http://localhost:${port}\n`)
})
