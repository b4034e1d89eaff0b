import { type NodeEntry, ROOT } from '@tidemark/protocol'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { referenceView } from '../src/core/view/reference.js'
import type { ViewEntry } from '../src/core/view-entry.js'
import { hasPlace, holdsContent, isAlive, visibleContents } from '../src/core/visibility.js'
import { arbitrarySteps, byKey, joinAll, playSteps, sha256 } from './graphs.js'

const RUNS = { numRuns: 8_000 }

/** Any registers: those of all writes, or of an arbitrary part of them. */
const arbitraryState: fc.Arbitrary<NodeEntry[]> = arbitrarySteps(24)
  .map(playSteps)
  .chain((written) => fc.subarray(written))
  .map((part) => [...joinAll(part).values()])

const checkView = (check: (view: ViewEntry[], entries: NodeEntry[]) => void) =>
  fc.assert(
    fc.property(arbitraryState, (entries) => check(referenceView(entries, sha256), entries)),
    RUNS,
  )

describe('view', () => {
  it('[V13] is a pure function that does not ask for the order of nodes', () => {
    fc.assert(
      fc.property(
        arbitraryState.chain((entries) =>
          fc.tuple(fc.constant(entries), fc.shuffledSubarray(entries, { minLength: entries.length })),
        ),
        ([entries, shuffled]) => {
          const view = [...byKey(referenceView(entries, sha256))]
          expect(JSON.stringify([...byKey(referenceView(shuffled, sha256))])).toBe(JSON.stringify(view))
        },
      ),
      RUNS,
    )
  })

  it('[V13] names are unique in each directory', () => {
    checkView((view) => {
      const places = new Set(view.map(({ parent, name }) => `${parent}/${name}`))
      expect(places.size).toBe(view.length)
    })
  })

  it('[V13] every entry is reachable from the root', () => {
    checkView((view) => {
      const parents = new Map(
        view.filter(({ kind }) => kind === 'dir').map(({ node, parent }) => [node, parent]),
      )
      for (const entry of view) {
        let { parent } = entry
        for (let depth = 0; parent !== ROOT && depth <= view.length; depth++) parent = parents.get(parent)!
        expect(parent).toBe(ROOT)
      }
    })
  })

  it('[V13] every alive node is shown by one entry, and each visible version of a file by exactly one', () => {
    checkView((view, entries) => {
      const shownBy = new Map<string, number>()
      for (const { backing, version } of view) {
        for (const node of backing) {
          const key = `${node}:${version?.root ?? ''}`
          shownBy.set(key, (shownBy.get(key) ?? 0) + 1)
        }
      }
      for (const entry of entries) {
        if (!hasPlace(entry) || !isAlive(entry)) continue
        const roots = holdsContent(entry.kind)
          ? new Set(visibleContents(entry).map(({ value }) => value.root!))
          : new Set([''])
        for (const root of roots) expect(shownBy.get(`${entry.id}:${root}`)).toBe(1)
      }
      expect(Math.max(0, ...shownBy.values())).toBeLessThanOrEqual(1)
    })
  })

  it('[V13] nothing dead is shown, but for directories above something alive', () => {
    checkView((view, entries) => {
      const nodes = new Map(entries.map((entry) => [entry.id, entry]))
      for (const { backing, kind } of view) {
        for (const node of backing) {
          const isHeld = kind === 'dir' && entries.some((entry) => isAlive(entry) && entry.id !== node)
          expect(isAlive(nodes.get(node)!) || isHeld).toBe(true)
        }
      }
    })
  })
})
