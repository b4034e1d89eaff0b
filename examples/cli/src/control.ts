import { rmSync } from 'node:fs'
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http'
import { SyncError } from '@tidemark/protocol'

/** What a running `sync` answers on its local socket. */
export type ControlHandler = (path: string, query: URLSearchParams) => Promise<unknown>

export interface ControlServer {
  close(): Promise<void>
}

/**
 * Serves JSON over HTTP on a Unix socket that only this user may open. Keeps the process alive until it
 * is closed: while the hub is away nothing else does.
 */
export async function serveControl(socket: string, handle: ControlHandler): Promise<ControlServer> {
  rmSync(socket, { force: true })
  const server = createServer((req, res) => void answer(req, res, handle))
  const mask = process.umask(0o177)
  try {
    await listen(server, socket)
  } finally {
    process.umask(mask)
  }
  return {
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

function listen(server: Server, socket: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(socket, resolve)
  })
}

async function answer(req: IncomingMessage, res: ServerResponse, handle: ControlHandler): Promise<void> {
  const url = new URL(req.url ?? '/', 'http://local')
  try {
    const body = await handle(url.pathname, url.searchParams)
    res.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body))
  } catch (error) {
    const code = error instanceof SyncError ? `${error.code}: ` : ''
    const message = `${code}${error instanceof Error ? error.message : String(error)}`
    res.writeHead(500, { 'content-type': 'application/json' }).end(JSON.stringify({ message }))
  }
}

/** @returns the answer, or `undefined` when no `sync` listens there. @throws what `sync` reported. */
export function askControl(socket: string, path: string): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const req = request({ socketPath: socket, path, timeout: 60_000 }, (res) => {
      const parts: Buffer[] = []
      res.on('data', (part: Buffer) => parts.push(part))
      res.on('end', () => {
        try {
          const body = JSON.parse(Buffer.concat(parts).toString('utf8')) as { message?: string }
          if (res.statusCode === 200) resolve(body)
          else reject(new Error(body.message ?? 'sync reported an error'))
        } catch (error) {
          reject(error)
        }
      })
      res.on('error', reject)
    })
    req.on('timeout', () => req.destroy(new Error('the running sync does not answer')))
    req.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT' || error.code === 'ECONNREFUSED') resolve(undefined)
      else reject(error)
    })
    req.end()
  })
}
