import { expect, test } from 'vitest'
import { databaseName } from '../src/page/database-name.js'

test('two hubs behind one host have databases of their own, and one hub has one however it is written', () => {
  const names = [
    'https://h/a/sync',
    'https://h/b/sync',
    'https://h/a',
    'https://h/b',
    'https://h',
    'http://h',
  ]
  expect(new Set(names.map((hub) => databaseName(hub, 'photos'))).size).toBe(names.length)
  const same = ['wss://h/sync', 'https://h', 'HTTPS://H:443/sync', 'https://user:pw@h/sync?token=1#x']
  expect(new Set(same.map((hub) => databaseName(hub, 'photos'))).size).toBe(1)
  expect(databaseName('https://h', 'photos')).not.toBe(databaseName('https://h', 'music'))
})
