import { spawnSync } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { closeSync, openSync, readSync } from 'node:fs'
import { MemoryKeyValueStore, openReplica } from '@tidemark/engine'
import { nodePlatform, pathByteSource } from '@tidemark/engine/node'
import { parseSpaceName } from '@tidemark/protocol'
import { writeRandomFile } from '../../test/support/bytes.js'
import { World } from '../../test/support/processes.js'
import { GOALS } from '../goals.js'
import { type Figure, median } from '../measure.js'

const MIB = 1 << 20
const GIB = 1 << 30
const RUNS = 3
const HASHED_BYTES = 1 << 30
const READ_BYTES = 8 * MIB

const gibPerSecond = (bytes: number, ms: number): number => (bytes / GIB / ms) * 1_000

/** SHA-256 as files are hashed, one thread, beside OpenSSL's own benchmark. */
export function measureHashing(): Figure[] {
  const block = randomBytes(MIB)
  const rates = Array.from({ length: RUNS }, () => {
    const began = performance.now()
    for (let done = 0; done < HASHED_BYTES; done += MIB) nodePlatform.hasher.sha256(block)
    return gibPerSecond(HASHED_BYTES, performance.now() - began)
  })
  const limit = opensslRate()
  return [
    {
      scenario: 'SHA-256 of 1 MiB, one thread',
      what: limit === undefined ? 'rate' : 'rate, and openssl speed',
      value: median(rates),
      unit: 'GiB/s',
      ...(limit === undefined ? {} : { limit, least: GOALS.hashOfOpenssl }),
    },
  ]
}

/** `undefined`: there is no OpenSSL. */
function opensslRate(): number | undefined {
  const args = ['speed', '-mr', '-seconds', '2', '-bytes', String(MIB), '-evp', 'sha256']
  const { stdout } = spawnSync('openssl', args, { encoding: 'utf8' })
  const [, rate] = /^\+F:\d+:sha256:([\d.]+)/im.exec(stdout ?? '') ?? []
  return rate === undefined ? undefined : Number(rate) / GIB
}

/** A file from the page cache, read, cut and hashed, beside a loop that only reads and hashes it. */
export async function measureCutting(bytes: number): Promise<Figure[]> {
  const world = new World()
  try {
    const path = world.path('file')
    writeRandomFile(path, bytes, 'limits')
    const replica = await openReplica({ storage: new MemoryKeyValueStore(), platform: nodePlatform })
    const space = await replica.openSpace(parseSpaceName('limits'), { bound: true })
    const rates: number[] = []
    const limits: number[] = []
    for (let run = 0; run < RUNS; run++) {
      const before = performance.now()
      readAndHash(path)
      const between = performance.now()
      const source = await pathByteSource(path)
      await space.binding.chunk(source, {})
      await source.close()
      rates.push(gibPerSecond(bytes, performance.now() - between))
      limits.push(gibPerSecond(bytes, between - before))
    }
    await replica.close()
    const figure = { scenario: `a file of ${bytes / MIB} MiB, read, cut, hashed`, unit: 'GiB/s' }
    return [
      { ...figure, what: 'rate', value: median(rates), least: GOALS.cutGibPerS },
      {
        ...figure,
        what: 'and only read and hashed, one thread',
        value: median(rates),
        limit: median(limits),
      },
    ]
  } finally {
    await world.close()
  }
}

function readAndHash(path: string): void {
  const hash = createHash('sha256')
  const buffer = Buffer.alloc(READ_BYTES)
  const fd = openSync(path, 'r')
  for (let read = readSync(fd, buffer); read > 0; read = readSync(fd, buffer))
    hash.update(buffer.subarray(0, read))
  hash.digest()
  closeSync(fd)
}
