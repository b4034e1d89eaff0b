import { MemoryKeyValueStore, type Timers } from '@tidemark/engine'
import type { BlobId, ChunkId } from '@tidemark/protocol'
import { expect, test } from 'vitest'
import { BlobIndex } from '../src/index.js'
import { LossAudit } from '../src/loss-audit.js'
import { SPACE, uptime } from './fixture.js'

const BLOB = 'b'.repeat(64) as BlobId
const CHUNK = 'c'.repeat(64) as ChunkId

/** An audit over an index; what it does is told in `seen`, and fails as told. */
function auditWorld() {
  const index = new BlobIndex(new MemoryKeyValueStore(), uptime)
  const seen: string[] = []
  const failing = new Set<string>()
  const did = async (what: string): Promise<void> => {
    seen.push(what)
    if (failing.has(what)) throw new Error(`no ${what}`)
  }
  let onLost: () => void = () => undefined
  const due: { afterMs: number; run: () => void }[] = []
  const timers: Timers = {
    monotonicMs: () => 0,
    after: (afterMs, run) => {
      const timer = { afterMs, run }
      due.push(timer)
      return () => void (due.includes(timer) && due.splice(due.indexOf(timer), 1))
    },
  }
  let whileScanning: () => Promise<void> = async () => undefined
  let afterNoneIsDue: () => Promise<void> = async () => undefined
  const start = () =>
    new LossAudit({
      audit: {
        dropLost: () => did('compare').then(() => 0),
        due: async () => {
          const losses = await index.auditDue(SPACE)
          if (losses === undefined) {
            const act = afterNoneIsDue
            afterNoneIsDue = async () => undefined
            await act()
          }
          return losses
        },
        done: (losses) => index.auditDone(SPACE, losses),
        onLost: (listener) => {
          onLost = listener
        },
      },
      timers,
      scan: async () => {
        await did('scan')
        const act = whileScanning
        whileScanning = async () => undefined
        await act()
      },
      onFailed: (error) => seen.push((error as Error).message),
    })
  return {
    index,
    seen,
    failing,
    due,
    start,
    lose: () => onLost(),
    whileScanning: (act: () => Promise<void>) => {
      whileScanning = act
    },
    afterNoneIsDue: (act: () => Promise<void>) => {
      afterNoneIsDue = act
    },
  }
}

test('[BG22] a hub whose store cannot be listed at its start looks for what it knows to be lost, and compares later', async () => {
  const { index, seen, failing, due, start } = auditWorld()
  await index.setAuditDue(SPACE)
  failing.add('compare')
  const audit = start()
  await expect.poll(() => due.length).toBe(1)
  expect(seen).toEqual(['compare', 'no compare', 'scan'])
  expect(due[0]!.afterMs).toBe(10_000)
  due.pop()!.run()
  await expect.poll(() => due.length).toBe(1)
  expect(due[0]!.afterMs, 'less and less often').toBe(20_000)
  failing.clear()
  due.pop()!.run()
  await expect.poll(() => seen.slice(3)).toEqual(['compare', 'no compare', 'compare'])
  await audit.close()
  expect(due).toEqual([])
})

test('[BG22] a look that failed is made again, and ends with the hub', async () => {
  const { index, seen, failing, due, start } = auditWorld()
  await index.setAuditDue(SPACE)
  failing.add('scan')
  const audit = start()
  await expect.poll(() => due.length).toBe(1)
  expect(await index.auditDue(SPACE)).toBe(1)
  failing.clear()
  due.pop()!.run()
  await expect.poll(() => index.auditDue(SPACE)).toBeUndefined()
  expect(seen).toEqual(['compare', 'scan', 'no scan', 'scan'])
  await audit.close()
  failing.add('scan')
  await index.setAuditDue(SPACE)
  const next = start()
  await expect.poll(() => due.length).toBe(1)
  await next.close()
  expect(due).toEqual([])
})

test('[BG22] a loss that is written while everything is looked at has its own look', async () => {
  const { index, seen, start, whileScanning } = auditWorld()
  await index.setAuditDue(SPACE)
  await index.add(SPACE, BLOB, [{ id: CHUNK, offset: 0, storedLength: 1, codec: 0, length: 1 }])
  // Whoever found it has not said so yet.
  whileScanning(async () => void (await index.drop(SPACE, BLOB, [], async () => true)))
  const audit = start()
  await expect.poll(() => seen).toEqual(['compare', 'scan', 'scan'])
  await expect.poll(() => index.auditDue(SPACE)).toBeUndefined()
  await audit.close()
})

test('[BG22] a loss that is told when it was just asked for has a look of its own', async () => {
  const { index, seen, lose, start, afterNoneIsDue } = auditWorld()
  await index.setAuditDue(SPACE)
  afterNoneIsDue(async () => {
    await index.setAuditDue(SPACE)
    lose()
  })
  const audit = start()
  await expect.poll(() => seen).toEqual(['compare', 'scan', 'scan'])
  await expect.poll(() => index.auditDue(SPACE)).toBeUndefined()
  await audit.close()
})
