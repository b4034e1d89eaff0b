import { DOTS_MAX, type ReplicaId, type RunId, type SyncPoint, type Vector } from '@tidemark/protocol'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { SpaceSnapshot } from '../database/space-snapshot.js'
import { type HeardPoint, SyncPointTalk } from './sync-point-talk.js'

const RUN = 'f'.repeat(16) as RunId
const NOTHING: Vector = new Map()
const ridOf = (n: number): ReplicaId => n.toString(16).padStart(16, '0') as ReplicaId
const many: Vector = new Map(Array.from({ length: 5_000 }, (_, n) => [ridOf(n), 1]))

function pair() {
  const [from, to] = [new SyncPointTalk(1), new SyncPointTalk(1)]
  const sent: SyncPoint[] = []
  const heard: HeardPoint[] = []
  return {
    sent,
    heard,
    opened: () => {
      from.restart()
      to.restart()
    },
    tell: (
      {
        frontier = NOTHING,
        met = frontier,
        floor = NOTHING,
      }: Partial<Pick<SyncPoint, 'frontier' | 'met' | 'floor'>>,
      { hasEntries = true, lost = NOTHING } = {},
    ) =>
      from.tell(
        { lseq: 1, frontier, met, floor } as SpaceSnapshot,
        { run: RUN, lost, hasEntries },
        async (point) => {
          sent.push(point)
          heard.push(to.hear(point))
        },
      ),
  }
}

test('a change costs the same however many replica ids there ever were', async () => {
  const { tell, sent, heard } = pair()
  await tell({ frontier: many, floor: many })
  const after = new Map(many).set(ridOf(7), 2)
  await tell({ frontier: after, floor: many }, { lost: NOTHING })
  expect([sent[1]!.frontier, sent[1]!.met, sent[1]!.floor]).toEqual([
    new Map([[ridOf(7), 2]]),
    new Map([[ridOf(7), 2]]),
    NOTHING,
  ])
  expect([heard[1]!.frontier, heard[1]!.floor, heard[1]!.risen?.size]).toEqual([after, many, 1])
})

test('after an OPEN all is said again', async () => {
  const { tell, opened, sent, heard } = pair()
  await tell({ frontier: many })
  opened()
  await tell({ frontier: many }, { hasEntries: false })
  expect([sent.length, sent[1]!.frontier, heard[1]!.risen]).toEqual([2, many, undefined])
})

test('[EX10] nothing is said where nothing is new, and what is lost once', async () => {
  const { tell, sent } = pair()
  const lost = new Map(Array.from({ length: DOTS_MAX + 1 }, (_, n) => [ridOf(n), 0]))
  await tell({}, { hasEntries: false, lost })
  expect(sent.map((point) => point.lost.length)).toEqual([DOTS_MAX, 1])
  await tell({}, { hasEntries: false, lost })
  await tell({ met: many }, { hasEntries: false, lost })
  expect(sent).toHaveLength(2)
  await tell({}, { lost })
  expect(sent[2]!.lost).toEqual([])
})

test('[EX8] what is heard is what the sender has, whatever rises and whenever either end says OPEN', async () => {
  const rises = fc.array(fc.tuple(fc.nat(5), fc.nat(9)))
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.record({ frontier: rises, floor: rises, opens: fc.boolean() })),
      async (rounds) => {
        const { tell, opened, heard } = pair()
        const has = { frontier: new Map<ReplicaId, number>(), floor: new Map<ReplicaId, number>() }
        for (const { opens, ...round } of rounds) {
          for (const which of ['frontier', 'floor'] as const)
            for (const [n, seq] of round[which])
              if (seq > (has[which].get(ridOf(n)) ?? 0)) has[which].set(ridOf(n), seq)
          if (opens) opened()
          await tell({ frontier: new Map(has.frontier), floor: new Map(has.floor) })
          expect({ frontier: heard.at(-1)!.frontier, floor: heard.at(-1)!.floor }).toEqual(has)
        }
      },
    ),
  )
})
