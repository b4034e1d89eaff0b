import { dotKey, joinVectors, type Loc, type NodeEntry, type Register, type Vector } from '@tidemark/protocol'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { SCENARIOS } from '../../../test/planted-scenarios.js'
import type * as Collectable from '../../core/collectable.js'
import type * as NodeDrafts from '../../core/ops/node-draft.js'
import type * as Registers from '../../core/register.js'
import type * as Visibility from '../../core/visibility.js'
import type * as SpaceGcs from '../../database/space-gc.js'
import type * as SpaceStores from '../../database/space-store.js'
import type * as SpaceWriters from '../../database/space-writer.js'
import { ruleOf } from './planted-search.js'
import { searchSeeds, tellFindings } from './search-seeds.js'
import { type Profile, runSimulation } from './simulation.js'

/** A mistake in a rule: modules that hold the rule, with a part of them changed. */
type PlantedRule = readonly {
  /** Relative to this file. */
  readonly path: string
  /** @returns the exports that are others. */
  readonly change: (module: never) => object
}[]

/** Each write of a place becomes another one, or none. */
const placing = (change: (value: Loc) => Loc | undefined): PlantedRule => [
  {
    path: '../../core/ops/node-draft.js',
    change: ({ NodeDraft }: typeof NodeDrafts) => ({
      NodeDraft: class extends NodeDraft {
        override writeLoc(value: Loc, observed: Register<Loc>): void {
          const changed = change(value)
          if (changed) super.writeLoc(changed, observed)
        }
      },
    }),
  },
]

const without = (value: Loc, field: 'seen' | 'held' | 'pin'): Loc => {
  const { [field]: _, ...rest } = value
  return rest
}

/** What the author of a write had, by its dot. */
const frontiers = new Map<string, Vector>()

const oneContext: PlantedRule = [
  {
    path: '../../database/space-store.js',
    change: ({ SpaceStore }: typeof SpaceStores) => ({
      SpaceStore: class extends SpaceStore {
        override writer(...args: Parameters<SpaceStores.SpaceStore['writer']>): SpaceWriters.SpaceWriter {
          const writer = super.writer(...args)
          const { frontier } = this.vectors
          const nextDot = writer.nextDot.bind(writer)
          writer.nextDot = () => {
            const dot = nextDot()
            frontiers.set(dotKey(dot), joinVectors(frontier, new Map([[dot.rid, dot.seq - 1]])))
            return dot
          }
          return writer
        }
      },
    }),
  },
  {
    path: '../../core/register.js',
    change: ({ makeSibling }: typeof Registers) => ({
      makeSibling: (options: Parameters<typeof makeSibling>[0]) => {
        const vector = frontiers.get(dotKey(options.dot))!
        return { ...makeSibling(options), ctx: { vector, except: [] } }
      },
    }),
  },
]

const noExceptions: PlantedRule = [
  {
    path: '../../core/register.js',
    change: ({ makeSibling }: typeof Registers) => ({
      makeSibling: (options: Parameters<typeof makeSibling>[0]) => {
        const sibling = makeSibling(options)
        return { ...sibling, ctx: { vector: sibling.ctx.vector, except: [] } }
      },
    }),
  },
]

const acknowledgesReceived: PlantedRule = [
  {
    path: '../../database/space-gc.js',
    change: ({ SpaceGc }: typeof SpaceGcs) => ({
      SpaceGc: class extends SpaceGc {
        constructor(options: ConstructorParameters<typeof SpaceGc>[0]) {
          super({ ...options, isApplied: async () => true })
        }
      },
    }),
  },
]

const oneStep: PlantedRule = [
  {
    path: '../../core/collectable.js',
    change: ({ reachOf }: typeof Collectable) => ({
      reachOf: (...args: Parameters<typeof reachOf>) => {
        const reach = reachOf(...args)
        return reach && { ...reach, stable: reach.applied }
      },
    }),
  },
]

const noIgnoreRule: PlantedRule = [
  { path: '../../core/incoming.js', change: () => ({ dropIgnored: (entry: NodeEntry) => entry }) },
]

const noRefuge: PlantedRule = [
  {
    path: '../../core/visibility.js',
    change: ({ refugesOf }: typeof Visibility) => ({
      refugesOf: (...args: Parameters<typeof refugesOf>) => refugesOf(...args).slice(0, 0),
    }),
  },
]

/** What nobody can wrap from outside is put in the place of its module: tests only. */
const PLANTED_RULES = {
  /** One context for the whole space: a write covers all that is below the frontier of its author. */
  'context-per-space': oneContext,
  /** A context is a plain version vector. */
  'context-without-exceptions': noExceptions,
  /** A place that is written says nothing of what earlier deletions had seen. */
  'seen-not-carried-on': placing((value) => (value.dead ? value : without(value, 'seen'))),
  /** A move does not name the contents that it carries. */
  'held-not-named': placing((value) => without(value, 'held')),
  /** What shifts by an operation of a user is not kept where it stood. */
  'no-pins': placing((value) => (value.pin ? undefined : value)),
  /** What keeps something where it stood counts as somebody's wish. */
  'pins-as-ordinary-writes': placing((value) => without(value, 'pin')),
  /** What a cycle was cut at, or whose parent is gone, goes to the root, wherever it came from. */
  'no-refuge': noRefuge,
  /** What was collected here, and comes again, is taken for new. */
  'collection-without-the-ignore-rule': noIgnoreRule,
  /** What the disk does not show yet is acknowledged. */
  'acknowledges-what-is-only-received': acknowledgesReceived,
  /** What a tombstone hides and the tombstone go in one step. */
  'collects-in-one-step': oneStep,
} as const satisfies Readonly<Record<string, PlantedRule>>

type PlantedRuleName = keyof typeof PLANTED_RULES

/** `1-200`: says which of these seeds notice each mistake, instead. */
const SEARCH = process.env.TIDEMARK_PLANTED_SEEDS

const STEPS: Readonly<Record<Profile, number>> = { exchange: 200, view: 120, collect: 200, refuse: 200 }
const SEARCH_MS_MAX = 3_600_000

const PROFILES: Readonly<Record<PlantedRuleName, Profile>> = {
  'context-per-space': 'view',
  'context-without-exceptions': 'view',
  'seen-not-carried-on': 'view',
  'held-not-named': 'view',
  'no-pins': 'view',
  'pins-as-ordinary-writes': 'view',
  'no-refuge': 'view',
  'collection-without-the-ignore-rule': 'collect',
  'acknowledges-what-is-only-received': 'collect',
  'collects-in-one-step': 'collect',
}

/** A seed that notices the mistake, and the rule that it breaks then. The others: docs/correctness.md. */
const NOTICED_BY: Readonly<Partial<Record<PlantedRuleName, readonly [seed: number, rule: string]>>> = {
  'context-per-space': [2, 'VW14'],
  'context-without-exceptions': [42, 'VW14'],
  'seen-not-carried-on': [1, 'VW14'],
  'no-pins': [2, 'VW14'],
  'pins-as-ordinary-writes': [1249, 'NR12'],
  'no-refuge': [51, 'V16'],
}
const NAMES = Object.keys(PROFILES) as PlantedRuleName[]

/** A story that tells of the mistake, and what it says without. */
const TOLD_BY: Readonly<Partial<Record<PlantedRuleName, readonly [keyof typeof SCENARIOS, string]>>> = {
  'held-not-named': ['movedAndDeleted', 'g'],
  'collection-without-the-ignore-rule': ['collectedAndTold', 'collected; nothing'],
  'collects-in-one-step': ['collectedAndMadeAgain', 'nothing'],
  'acknowledges-what-is-only-received': ['receivedAndAcknowledged', 'not acknowledged'],
}

async function plant(name: PlantedRuleName): Promise<void> {
  const rule: PlantedRule = PLANTED_RULES[name]
  vi.resetModules()
  for (const { path, change } of rule) {
    vi.doMock(path, async (original) => {
      const module = await original<never>()
      return { ...(module as object), ...change(module) }
    })
  }
}

async function planted(name: PlantedRuleName): Promise<typeof runSimulation> {
  await plant(name)
  return (await import('./simulation.js')).runSimulation
}

afterEach(() => {
  for (const { path } of NAMES.flatMap((name): PlantedRule => PLANTED_RULES[name])) vi.doUnmock(path)
  vi.resetModules()
})

const ruleBroken = (run: typeof runSimulation, profile: Profile, seed: number): Promise<string | undefined> =>
  run({ profile, seed, steps: STEPS[profile] }).then(() => undefined, ruleOf)

if (!SEARCH)
  describe('a mistake in a rule is noticed, and without it there is nothing to notice:', () => {
    it.each(NAMES.filter((name) => NOTICED_BY[name]))('%s', async (name) => {
      const [profile, [seed, rule]] = [PROFILES[name], NOTICED_BY[name]!]
      expect(await ruleBroken(await planted(name), profile, seed)).toBe(rule)
      expect(await ruleBroken(runSimulation, profile, seed)).toBeUndefined()
    })
  })

if (!SEARCH)
  describe('a mistake that random runs do not notice changes how a story ends:', () => {
    it.each(NAMES.filter((name) => TOLD_BY[name]))('%s', async (name) => {
      const [story, end] = TOLD_BY[name]!
      expect(await SCENARIOS[story]()).toBe(end)
      await plant(name)
      expect(await (await import('../../../test/planted-scenarios.js')).SCENARIOS[story]()).not.toBe(end)
    })
  })

if (!SEARCH)
  it('every mistake is noticed by something', () => {
    expect(NAMES.filter((name) => !NOTICED_BY[name] && !TOLD_BY[name])).toEqual([])
  })

if (SEARCH)
  describe('seeds that notice a mistake in a rule', () => {
    it.each(NAMES)(
      '%s',
      async (name) => {
        const [first, last] = SEARCH!.split('-').map(Number) as [number, number]
        const run = await planted(name)
        const seeds = Array.from({ length: last - first + 1 }, (_, i) => first + i)
        console.log(
          tellFindings(name, await searchSeeds(seeds, (seed) => ruleBroken(run, PROFILES[name], seed))),
        )
      },
      SEARCH_MS_MAX,
    )
  })
