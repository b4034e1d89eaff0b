import { readFile } from 'node:fs/promises'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { extname } from 'node:path'
import { fileURLToPath } from 'node:url'

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.map': 'application/json',
}

/** Every path that is answered, and its file. Nothing else of the disk can be asked for. */
const FILES: Readonly<Record<string, URL>> = {
  '/': new URL('../public/index.html', import.meta.url),
  '/style.css': new URL('../public/style.css', import.meta.url),
  '/main.js': new URL('./page/main.js', import.meta.url),
  '/main.js.map': new URL('./page/main.js.map', import.meta.url),
  '/service-worker.js': new URL('./page/service-worker.js', import.meta.url),
}

/** The hub is another origin; WebAssembly hashes. */
const POLICY =
  "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src data:; connect-src *; base-uri 'none'; form-action 'none'"

/** Answers a request for a file of the page. */
export async function answerFile(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const path = (request.url ?? '').split('?', 1)[0]!
  const file = Object.hasOwn(FILES, path) ? FILES[path] : undefined
  if (!file || (request.method !== 'GET' && request.method !== 'HEAD')) {
    response.writeHead(file ? 405 : 404, { 'content-length': 0 }).end()
    return
  }
  const body = await readFile(file)
  response.writeHead(200, {
    'content-type': TYPES[extname(fileURLToPath(file))] ?? 'application/octet-stream',
    'content-length': body.length,
    'content-security-policy': POLICY,
    'cache-control': 'no-cache',
    'x-content-type-options': 'nosniff',
  })
  response.end(request.method === 'HEAD' ? undefined : body)
}
