import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import type { ChunkId, DeviceId, NodeEntry, NodeId, ReplicaId, RunId } from '@tidemark/protocol'
import { parseSpaceName, ROOT } from '@tidemark/protocol'
import { expect, test } from 'vitest'
import { SpaceDatabase } from '../src/index.js'
import { nodePlatform, openLevelStore } from '../src/node/index.js'

const PEER = '00000000000000aa' as DeviceId
const RID = '00000000000000bb' as ReplicaId
const RUN = '00000000000000cc' as RunId
const PER_DIRECTORY = 500
const BATCH = 1_000

const idOf = <T extends string>(value: number, digits: number): T =>
  value.toString(16).padStart(digits, '0') as T

/** The nth node: every 500th a directory, the others files in the last one. */
function nodeOf(n: number): NodeEntry {
  const isDirectory = n % PER_DIRECTORY === 0
  const at = { hlc: { ms: n + 1, counter: 0 }, ctx: { vector: new Map(), except: [] } }
  const parent = isDirectory ? ROOT : idOf<NodeId>(n - (n % PER_DIRECTORY) + 1, 32)
  return {
    id: idOf<NodeId>(n + 1, 32),
    kind: isDirectory ? 'dir' : 'file',
    loc: [{ ...at, dot: { rid: RID, seq: 2 * n + 1 }, value: { parent, name: `name ${n}`, dead: false } }],
    content: isDirectory
      ? []
      : [
          {
            ...at,
            dot: { rid: RID, seq: 2 * n + 2 },
            value: { root: idOf<ChunkId>(n, 64), height: 0, size: 1, mtimeMs: 1 },
          },
        ],
    attr: [],
  }
}

test('[ME1] 100,000 entries more in a bound space leave less than 100 bytes each in memory', async () => {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  const home = await mkdtemp(join(tmpdir(), 'tidemark-resident-'))
  const { clock, random, hasher } = nodePlatform
  const storage = await openLevelStore(join(home, 'database'))
  const database = await SpaceDatabase.open({
    storage,
    space: parseSpaceName('many'),
    mode: 'bound',
    device: '00000000000000dd' as DeviceId,
    clock,
    random,
    sha256: (bytes) => hasher.sha256(bytes),
  })
  const fill = async (from: number, to: number): Promise<number> => {
    for (let n = from; n < to; n += BATCH) {
      const entries = Array.from({ length: BATCH }, (_, i) => nodeOf(n + i))
      await database.receive(PEER, entries, { run: RUN, lseq: n + BATCH })
    }
    const frontier = new Map([[RID, 2 * to]])
    await database.syncPoint(PEER, {
      cursor: { run: RUN, lseq: to },
      frontier,
      met: new Map(),
      lost: new Map(),
      floor: new Map(),
    })
    for (const key of await database.dirty(10)) expect(await database.received.entry(key)).toBeDefined()
    collect()
    await new Promise((resolve) => setImmediate(resolve))
    collect()
    const { heapUsed, external } = process.memoryUsage()
    return heapUsed + external
  }
  try {
    const few = await fill(0, 10_000)
    const many = await fill(10_000, 110_000)
    expect((many - few) / 100_000).toBeLessThan(100)
  } finally {
    await storage.close()
    await rm(home, { recursive: true, force: true })
  }
}, 120_000)
