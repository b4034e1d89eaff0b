import { createHash } from 'node:crypto'
import { MemoryKeyValueStore } from '@tidemark/engine'
import { nodePlatform } from '@tidemark/engine/node'
import { type BlobId, type BlobStore, StoreError } from '@tidemark/protocol'
import { MemoryBlobStore } from '@tidemark/protocol/memory'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Uptime } from '../src/index.js'
import { CLAIMS_SPACE, StoreClaim } from '../src/sweep/store-claim.js'
import { keptLog } from './fixture.js'
import { DAY, HOUR } from './sweep-world.js'

const sha256 = (bytes: Uint8Array): Uint8Array => createHash('sha256').update(bytes).digest()
const idOf = (bytes: Uint8Array): BlobId => Buffer.from(sha256(bytes)).toString('hex') as BlobId

let store: MemoryBlobStore
const hubs: TestHub[] = []
beforeEach(() => {
  store = new MemoryBlobStore({ sha256, now: () => 0 })
})
afterEach(async () => {
  for (const hub of hubs.splice(0)) await hub.stop()
})

/** A hub as far as its claim, with a clock that stands still until it is moved on. */
class TestHub {
  readonly #timers: { atMs: number; run: () => void }[] = []
  readonly log = keptLog()
  #nowMs = 0
  claim!: StoreClaim
  uptime!: Uptime

  constructor(
    public storage = new MemoryKeyValueStore({ crashable: true }),
    public blobs: BlobStore = store,
  ) {
    hubs.push(this)
  }

  async start(): Promise<this> {
    const monotonicMs = () => this.#nowMs
    this.uptime = await Uptime.load(this.storage, { monotonicMs })
    this.claim = new StoreClaim({
      ...nodePlatform,
      timers: {
        monotonicMs,
        after: (ms, run) => {
          const timer = { atMs: this.#nowMs + ms, run }
          this.#timers.push(timer)
          return () => void this.#timers.splice(this.#timers.indexOf(timer), 1)
        },
      },
      storage: this.storage,
      blobs: this.blobs,
      uptime: this.uptime,
      logger: this.log.logger,
    })
    this.claim.start()
    await this.#settled()
    return this
  }

  /** It runs for so long. */
  async run(ms: number): Promise<void> {
    const untilMs = this.#nowMs + ms
    for (;;) {
      const due = this.#timers.findIndex(({ atMs }) => atMs <= untilMs)
      if (due < 0) break
      const [{ atMs, run }] = this.#timers.splice(due, 1) as [{ atMs: number; run: () => void }]
      this.#nowMs = atMs
      run()
      await this.#settled()
    }
    this.#nowMs = untilMs
  }

  /** The power goes, and comes. */
  async crash(): Promise<void> {
    this.#timers.length = 0
    this.storage = this.storage.crash(0)
    await this.start()
  }

  async stop(): Promise<void> {
    await this.claim.close()
    await this.uptime.save()
  }

  /** Until what runs in the background has come to its end, and the next timer is set. */
  async #settled(): Promise<void> {
    for (let i = 0; i < 50; i++) await Promise.resolve()
    await new Promise(setImmediate)
  }
}

/** What a copy of the directory has, or a backup. */
async function copyOf(storage: MemoryKeyValueStore): Promise<MemoryKeyValueStore> {
  const copy = new MemoryKeyValueStore({ crashable: true })
  await copy.batch(
    storage.entries({ gte: '', lt: '~' }).map(([key, value]) => ({ type: 'put', key, value })),
    { sync: true },
  )
  return copy
}

async function claims(): Promise<BlobId[]> {
  const ids: BlobId[] = []
  for await (const id of store.list(CLAIMS_SPACE)) ids.push(id)
  return ids
}

describe('a hub alone', () => {
  test('[BG27] has the store for itself since its first look, over all its starts', async () => {
    const hub = await new TestHub().start()
    await hub.run(HOUR)
    const since = await hub.claim.soleSinceMs()
    expect(since).toBeGreaterThanOrEqual(HOUR)
    for (let i = 0; i < 5; i++) {
      await hub.stop()
      await hub.start()
      await hub.run(10 * DAY)
      expect(await hub.claim.soleSinceMs()).toBe(since)
    }
    expect(hub.claim.others).toBe(0)
  })

  test('[BG27] renews its claim, and leaves no more than the one before', async () => {
    const hub = await new TestHub().start()
    const seen = new Set(await claims())
    for (let i = 1; i <= 6; i++) {
      await hub.run(HOUR / 2)
      expect(await claims()).toHaveLength(2)
      for (const id of await claims()) seen.add(id)
    }
    expect(seen.size).toBe(7)
  })

  test('[BG23] [BG27] never takes its own claim for that of another one, wherever the power goes', async () => {
    const hub = await new TestHub().start()
    for (let calls = 0; calls < 12; calls++) {
      let left = calls
      const mayGo = () => {
        if (left-- <= 0) throw new StoreError('the power is gone')
      }
      hub.blobs = intercepted(store, { put: mayGo, delete: mayGo })
      await hub.stop()
      await hub.start()
      await hub.run(HOUR)
      hub.blobs = store
      await hub.crash()
      await hub.run(HOUR)
      expect(await hub.claim.soleSinceMs()).toBeDefined()
      expect((await claims()).length).toBeLessThanOrEqual(2)
    }
  })

  test('[BG27] where a store deletes nothing, claims do not become more and more', async () => {
    const hub = new TestHub()
    hub.blobs = intercepted(store, {
      delete: () => {
        throw new StoreError('no')
      },
    })
    await hub.start()
    await hub.run(DAY)
    expect((await claims()).length).toBeLessThanOrEqual(2)
    expect(hub.log.lines.some(({ event }) => event === 'store-claim-failed')).toBe(true)
  })

  test('[BG27] a store that cannot be asked says nothing', async () => {
    const hub = await new TestHub().start()
    await hub.run(HOUR)
    store.list = () => {
      throw new StoreError('away')
    }
    await expect(hub.claim.soleSinceMs()).rejects.toThrow('away')
  })
})

describe('two hubs', () => {
  test('[BG27] with databases of their own know of each other, for ever', async () => {
    const [a, b] = [await new TestHub().start(), await new TestHub().start()]
    for (const hub of [a, b]) await hub.run(HOUR)
    expect(await a.claim.soleSinceMs()).toBeUndefined()
    expect(await b.claim.soleSinceMs()).toBeUndefined()
    await b.stop()
    await a.run(400 * DAY)
    expect(await a.claim.soleSinceMs()).toBeUndefined()
    expect(a.claim.others).toBe(1)
    // The operator does what it says.
    for (const { event, blob, message } of a.log.lines) {
      if (event !== 'store-shared') continue
      expect(String(message)).toContain('another hub uses the store')
      await store.delete(CLAIMS_SPACE, blob as BlobId)
    }
    await a.run(HOUR)
    expect(await a.claim.soleSinceMs()).toBeGreaterThan(400 * DAY)
  })

  test('[BG27] see each other although one renews its claim while the other reads the list', async () => {
    const other = await new TestHub().start()
    for (let shard = 0; shard < 16; shard++) {
      const hub = new TestHub()
      hub.blobs = { ...bound(store), list: () => listInShards(shard, () => other.run(HOUR / 2)) }
      await hub.start()
      await hub.run(HOUR)
      await hub.claim.soleSinceMs()
      expect(hub.claim.others).toBeGreaterThan(0)
      await hub.stop()
      for (const id of await claims()) await store.delete(CLAIMS_SPACE, id)
      await other.run(HOUR)
    }
  })

  test('[BG27] see each other although one finds no room for its claims for a while', async () => {
    let isFull = false
    const put = () => {
      if (isFull) throw new StoreError('the blob store is full', 507)
    }
    const blobs = intercepted(store, { put })
    const first = await new TestHub(undefined, blobs).start()
    const second = await new TestHub().start()
    await first.run(2 * HOUR)
    await second.run(2 * HOUR)
    isFull = true
    for (let day = 0; day < 3; day++) {
      await first.run(DAY)
      await second.run(DAY)
      expect(await second.claim.soleSinceMs()).toBeUndefined()
      await first.crash()
    }
    expect(await claims(), 'the last one of the first, two of the second').toHaveLength(3)
    isFull = false
    await first.run(2 * HOUR)
    expect(await claims()).toHaveLength(4)
    expect(await first.claim.soleSinceMs()).toBeUndefined()
  })

  test('[BG27] a copy that is started for a trial: neither has the store for itself, until the copy was gone for 30 days', async () => {
    const hub = await new TestHub().start()
    await hub.run(HOUR)
    await hub.claim.soleSinceMs()
    const copy = await new TestHub(await copyOf(hub.storage)).start()
    for (let day = 0; day < 60; day++) {
      await hub.run(DAY)
      await copy.run(DAY)
      expect(await hub.claim.soleSinceMs()).toBeUndefined()
      expect(await copy.claim.soleSinceMs()).toBeUndefined()
    }
    await copy.stop()
    await hub.run(29 * DAY)
    expect(await hub.claim.soleSinceMs()).toBeUndefined()
    await hub.run(2 * DAY)
    const since = await hub.claim.soleSinceMs()
    expect(since).toBeGreaterThan(90 * DAY)
    expect(await claims()).toHaveLength(2)
  })

  test('[BG27] a copy is sure of nothing before the hub has renewed its claim, however often it is asked', async () => {
    const hub = await new TestHub().start()
    await hub.run(10 * DAY)
    await hub.claim.soleSinceMs()
    const copy = await new TestHub(await copyOf(hub.storage)).start()
    for (let minute = 0; minute < 120; minute++) {
      expect(await copy.claim.soleSinceMs()).toBeUndefined()
      await hub.run(60_000)
      await copy.run(60_000)
    }
  })

  test('[BG27] a copy knows of the hub before its first pass, though it has just been made', async () => {
    const hub = await new TestHub().start()
    await hub.run(10 * DAY)
    await hub.claim.soleSinceMs()
    const copy = await new TestHub(await copyOf(hub.storage)).start()
    await hub.run(HOUR / 2)
    await copy.run(HOUR)
    expect(await copy.claim.soleSinceMs()).toBeUndefined()
  })

  test('[BG27] a hub that is put back to a backup keeps everything for 30 days', async () => {
    const hub = await new TestHub().start()
    await hub.run(DAY)
    await hub.claim.soleSinceMs()
    const backup = await copyOf(hub.storage)
    await hub.run(DAY)
    await hub.stop()
    const restored = await new TestHub(backup).start()
    await restored.run(HOUR)
    expect(await restored.claim.soleSinceMs()).toBeUndefined()
    await restored.run(31 * DAY)
    expect(await restored.claim.soleSinceMs()).toBeGreaterThan(31 * DAY)
  })

  test('[BG27] bytes that are no claim are of another hub: nobody knows better', async () => {
    const hub = await new TestHub().start()
    for (const bytes of [Buffer.from('rotten'), Buffer.alloc(1_000)]) {
      await store.put(CLAIMS_SPACE, idOf(bytes), bytes)
      await hub.run(DAY)
      expect(await hub.claim.soleSinceMs()).toBeUndefined()
      await store.delete(CLAIMS_SPACE, idOf(bytes))
    }
  })
})

const bound = (blobs: MemoryBlobStore) => ({
  supports: blobs.supports,
  put: blobs.put.bind(blobs),
  stat: blobs.stat.bind(blobs),
  read: blobs.read.bind(blobs),
  delete: blobs.delete.bind(blobs),
  grantPut: blobs.grantPut.bind(blobs),
  grantGet: blobs.grantGet.bind(blobs),
})

/** A list that is read digit by digit, as those of a bucket are; something happens before one of them. */
async function* listInShards(shard: number, happens: () => Promise<void>): AsyncGenerator<BlobId> {
  for (let digit = 0; digit < 16; digit++) {
    if (digit === shard) await happens()
    yield* (await claims()).filter((id) => Number.parseInt(id[0]!, 16) === digit)
  }
}

/** @param before Called first; what it throws is the answer. */
function intercepted(blobs: BlobStore, before: { put?: () => void; delete?: () => void }): BlobStore {
  return new Proxy(blobs, {
    get(target, name) {
      const value = Reflect.get(target, name)
      if (typeof value !== 'function') return value
      const act = before[name as 'put' | 'delete']
      if (!act) return value.bind(target)
      return async (...args: unknown[]) => {
        act()
        return Reflect.apply(value, target, args)
      }
    },
  })
}
