import { expect, test } from 'vitest'
import { parseInvocation, UsageError } from './args.js'
import { s3Options } from './s3-store.js'

const options = (...flags: string[]) =>
  s3Options(parseInvocation(['hub', '--port', '0', '--data', 'd', ...flags]))

test('a hub without flags of S3 has no such store', () => {
  expect(options()).toBeUndefined()
})

test('the flags of S3 are options of the store', () => {
  expect(options('--s3-bucket', 'b')).toEqual({ bucket: 'b' })
  const all = ['--s3-bucket', 'b', '--s3-region', 'eu', '--s3-prefix', 'p/']
  expect(options(...all, '--s3-endpoint', 'http://a:1', '--s3-public-endpoint', 'https://s')).toEqual({
    bucket: 'b',
    region: 'eu',
    prefix: 'p/',
    endpoint: 'http://a:1',
    publicEndpoint: 'https://s',
  })
})

test.each([
  [['--s3-region', 'eu'], '--s3-bucket is missing'],
  [['--s3-bucket', ''], '--s3-bucket is empty'],
  [['--s3-bucket', 'b', '--s3-endpoint', 'store:9000'], '--s3-endpoint store:9000: expected a URL'],
  [['--s3-bucket', 'b', '--s3-public-endpoint', 'nowhere'], '--s3-public-endpoint nowhere: expected a URL'],
  [['--s3-bucket', 'b', '--s3-prefix', 'p'], '--s3-prefix p: expected a slash'],
])('%j is wrong usage', (flags, message) => {
  expect(() => options(...flags)).toThrow(UsageError)
  expect(() => options(...flags)).toThrow(message)
})
