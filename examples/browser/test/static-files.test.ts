import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { answerFile } from '../src/static-files.js'

let server: Server
let url: string
beforeAll(async () => {
  server = createServer((request, response) => void answerFile(request, response))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})
afterAll(() => new Promise((resolve) => server.close(resolve)))

test('the page comes with a policy that lets no script in but its own', async () => {
  const page = await fetch(url)
  expect(page.status).toBe(200)
  expect(page.headers.get('content-security-policy')).toContain("script-src 'self'")
  expect(await page.text()).toContain('main.js')
  const head = await fetch(`${url}/style.css?x`, { method: 'HEAD' })
  expect([head.status, head.headers.get('content-type')]).toEqual([200, 'text/css; charset=utf-8'])
})

test('nothing else of the disk is answered', async () => {
  for (const path of ['/index.html', '/package.json', '/..%2f..%2fpackage.json', '/constructor']) {
    expect((await fetch(url + path)).status).toBe(404)
  }
  expect((await fetch(url, { method: 'POST' })).status).toBe(405)
})
