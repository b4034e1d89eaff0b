import {
  AccessError,
  type ChunkId,
  ChunksMissingError,
  DatabaseError,
  type DeviceId,
  parseSpaceName,
  StoreError,
} from '@tidemark/protocol'
import { expect, onTestFinished, test } from 'vitest'
import { VirtualTimers } from '../../test/virtual-timers.js'
import { MemoryKeyValueStore } from '../adapters/memory-store.js'
import { SpaceDatabase } from '../database/space-database.js'
import { nodePlatform } from '../node/index.js'
import { PendingUploads, type PendingUploadsParts } from './pending-uploads.js'

const CONTENT = { root: 'f'.repeat(64) as ChunkId, height: 0, size: 3, mtimeMs: 0 }

/** One file that waits, and a store that answers what the test says. */
class Stage {
  readonly timers = new VirtualTimers()
  readonly abort = new AbortController()
  attempts = 0
  answer: Error | undefined
  readFails: Error | undefined
  pending!: PendingUploads

  async start(): Promise<this> {
    const database = await SpaceDatabase.open({
      ...nodePlatform,
      storage: new MemoryKeyValueStore(),
      space: parseSpaceName('photos'),
      device: 'a'.repeat(16) as DeviceId,
      mode: 'direct',
      sha256: (bytes) => nodePlatform.hasher.sha256(bytes),
    })
    const { rows } = database
    const range: typeof rows.range = (...asked) => {
      if (this.readFails) throw this.readFails
      return rows.range(...asked)
    }
    const parts = {
      database: {
        rows: { ...rows, range },
        writeRows: database.writeRows.bind(database),
      },
      files: { get: async () => new Uint8Array(3), upload: async () => ({}) },
      uploader: {
        ensureStored: async () => {
          this.attempts += 1
          if (this.answer) throw this.answer
        },
      },
      timers: this.timers,
      random: { bytes: (length: number) => new Uint8Array(length).fill(128) },
    } as unknown as PendingUploadsParts
    this.pending = new PendingUploads(parts)
    await database.writeRows(this.pending.rows(CONTENT), { sync: false })
    this.pending.run(this.abort.signal)
    onTestFinished(() => {
      this.abort.abort()
      return this.pending.stopped
    })
    await this.timers.pass(0)
    return this
  }

  /** What became of waiting for all uploads; `waits`: nothing yet. */
  watch(): { outcome: unknown } {
    const watched: { outcome: unknown } = { outcome: 'waits' }
    this.pending.empty().then(
      () => {
        watched.outcome = 'empty'
      },
      (error: unknown) => {
        watched.outcome = error
      },
    )
    return watched
  }
}

test('a store that is full is tried again, ever less often, and nothing is called uploaded before', async () => {
  const stage = new Stage()
  stage.answer = new StoreError('no room', 507)
  await stage.start()
  const watched = stage.watch()
  expect(stage.attempts).toBe(1)
  await stage.timers.pass(11_000)
  expect(stage.attempts).toBe(2)
  await stage.timers.pass(24 * 3_600_000)
  expect(stage.attempts).toBeGreaterThan(100)
  expect(stage.attempts).toBeLessThan(400)
  expect(watched.outcome).toBe('waits')
  expect(stage.pending.isEmpty).toBe(false)
  stage.answer = undefined
  await stage.timers.pass(600_000)
  expect(watched.outcome).toBe('empty')
  expect(stage.pending.isEmpty).toBe(true)
  expect(stage.timers.pending).toBe(0)
})

test('who waits hears of a refusal, which is tried again seldom, and with the next connection', async () => {
  const stage = new Stage()
  stage.answer = new AccessError('FORBIDDEN', 'quota')
  await stage.start()
  const watched = stage.watch()
  await stage.timers.pass(599_000)
  expect(watched.outcome).toBe(stage.answer)
  expect(stage.attempts).toBe(1)
  await stage.timers.pass(1_000)
  expect(stage.attempts).toBe(2)
  stage.pending.retryFailed()
  await stage.timers.pass(0)
  expect(stage.attempts).toBe(3)
  stage.answer = undefined
  await stage.timers.pass(600_000)
  expect([stage.pending.isEmpty, stage.attempts]).toEqual([true, 4])
})

test('who waits hears that the bytes are not here any more, and they are looked for again', async () => {
  const stage = new Stage()
  stage.answer = new ChunksMissingError([CONTENT.root])
  await stage.start()
  const watched = stage.watch()
  await stage.timers.pass(11_000)
  expect(watched.outcome).toBe(stage.answer)
  expect(stage.attempts).toBe(2)
})

test('a database that cannot be read is read again later', async () => {
  const stage = new Stage()
  stage.readFails = new DatabaseError('IO', 'the disk is away')
  await stage.start()
  expect(stage.attempts).toBe(0)
  expect(stage.pending.isEmpty).toBe(false)
  await expect(stage.pending.empty()).rejects.toBe(stage.readFails)
  stage.readFails = undefined
  await stage.timers.pass(600_000)
  expect(stage.attempts).toBe(1)
  await stage.pending.empty()
  stage.abort.abort()
  await expect(stage.pending.stopped).resolves.toBeUndefined()
})
