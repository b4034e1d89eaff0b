import { simulate } from '@tidemark/simulator'
import { test } from 'vitest'
import { setUpBlobStore, setUpTransport } from './setups.js'

/** Some have a program that keeps its blobs itself. More: `SEEDS=100-200`. */
const [FIRST = 1, LAST = FIRST] = (process.env.SEEDS ?? '1-6').split('-').map(Number)

test('devices under random hands and troubles become equal and idle over TCP, with blobs in a file', async () => {
  for (let seed = FIRST; seed <= LAST; seed++)
    await simulate({ seed, steps: 60, transport: setUpTransport, blobStore: setUpBlobStore })
})
