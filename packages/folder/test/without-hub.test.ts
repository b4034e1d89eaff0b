import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createMemoryTransportPair } from '@tidemark/protocol/memory'
import { webSocketTransport } from '@tidemark/transport-ws'
import { expect, test } from 'vitest'
import { type Bound, bind, hub, paths } from './fixture.js'

const TEXT = 'bytes '.repeat(50_000)
const waiting = ({ binding }: Bound): string[] =>
  binding.status.problems.flatMap(({ cause, path }) => (cause === 'waiting-for-hub' ? path : []))

test('folders that are linked to each other alone record their changes, and a hub that comes later gets the bytes', async () => {
  const [dialer, other] = [await bind(), await bind()]
  const pair = createMemoryTransportPair()
  pair.listener.onConnection((connection) => void other.replica.accept(connection))
  dialer.replica.connect(pair.transport)

  mkdirSync(dialer.path('from-dialer'))
  writeFileSync(dialer.path('from-dialer/file.txt'), TEXT)
  writeFileSync(other.path('other.txt'), `other ${TEXT}`)
  await expect
    .poll(() => paths(dialer.space), { timeout: 10_000 })
    .toEqual(['from-dialer', 'from-dialer/file.txt'])
  await expect.poll(() => existsSync(other.path('from-dialer')), { timeout: 10_000 }).toBe(true)
  await expect.poll(() => waiting(other), { timeout: 10_000 }).toEqual(['from-dialer/file.txt'])
  await expect.poll(() => waiting(dialer), { timeout: 10_000 }).toEqual(['other.txt'])

  const running = await hub()
  for (const { replica } of [dialer, other]) replica.connect(webSocketTransport(running.url))
  await expect.poll(() => existsSync(other.path('from-dialer/file.txt')), { timeout: 20_000 }).toBe(true)
  await expect.poll(() => existsSync(dialer.path('other.txt')), { timeout: 20_000 }).toBe(true)
  expect(readFileSync(other.path('from-dialer/file.txt'), 'utf8')).toBe(TEXT)
  expect(readFileSync(dialer.path('other.txt'), 'utf8')).toBe(`other ${TEXT}`)
})

test('what waited for a peer that might have been a hub is recorded when it answers, and is none', async () => {
  const [dialer, other] = [await bind(), await bind()]
  await dialer.binding.settled()
  const pair = createMemoryTransportPair()
  dialer.replica.connect(pair.transport)
  writeFileSync(dialer.path('file.txt'), TEXT)
  await expect
    .poll(() => dialer.binding.status, { timeout: 10_000 })
    .toMatchObject({ state: 'offline', pending: 1 })
  expect(await paths(dialer.space)).toEqual([])
  pair.listener.onConnection((connection) => void other.replica.accept(connection))
  await expect.poll(() => paths(dialer.space), { timeout: 10_000 }).toEqual(['file.txt'])
})
