import type { ChunkId } from '@tidemark/protocol'
import fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import { seededBytes } from '../../engine/test/bytes.js'
import { mortal, slow } from './sweep-troubles.js'
import { DAY, type File, fileOf, HOUR, KEEP_MS, SweepWorld } from './sweep-world.js'

const RUNS = Number(process.env.RUNS ?? 60)
const NODES = 3

/** Some share chunks, and so packs. */
let files: readonly File[]
beforeAll(async () => {
  const blocks = Array.from({ length: 4 }, (_, n) => seededBytes(n + 1, 50_000))
  // Of chunks that get smaller, some.
  for (let at = 0; at < 40_000; at++) blocks[2]![at] = at % 7
  const joined = (...parts: number[]) => fileOf(Buffer.concat(parts.map((n) => blocks[n]!)))
  files = [
    await fileOf(blocks[0]!.subarray(0, 500)),
    await fileOf(blocks[1]!.subarray(0, 900)),
    await joined(0, 1),
    await joined(0, 1, 2),
    await joined(2, 3),
  ]
})

type Act =
  | { readonly type: 'write'; readonly node: number; readonly file: number; readonly isStored: boolean }
  | { readonly type: 'store' | 'ask'; readonly file: number }
  | { readonly type: 'remove'; readonly node: number }
  | { readonly type: 'wait'; readonly ms: number }
  | { readonly type: 'jump'; readonly ms: number }
  | { readonly type: 'pass' | 'restart' }
  | { readonly type: 'crash'; readonly kept: number }
  | { readonly type: 'dying pass'; readonly calls: number; readonly kept: number; readonly isAfter: boolean }
  | { readonly type: 'busy pass'; readonly acts: readonly Act[] }

const node = fc.nat(NODES - 1)
const file = fc.nat(4)
const plain: fc.Arbitrary<Act> = fc.oneof(
  fc.record({ type: fc.constant('write' as const), node, file, isStored: fc.boolean() }),
  fc.record({ type: fc.constantFrom('store' as const, 'ask' as const), file }),
  fc.record({ type: fc.constant('remove' as const), node }),
)
const wait: fc.Arbitrary<Act> = fc.record({
  type: fc.constant('wait' as const),
  ms: fc.constantFrom(HOUR, 11 * HOUR, 13 * HOUR, DAY, KEEP_MS, KEEP_MS + DAY),
})
const kept = fc.nat(20)
const act: fc.Arbitrary<Act> = fc.oneof(
  { weight: 6, arbitrary: plain },
  { weight: 4, arbitrary: wait },
  { weight: 4, arbitrary: fc.constant({ type: 'pass' as const }) },
  { weight: 1, arbitrary: fc.constant({ type: 'restart' as const }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('crash' as const), kept }) },
  {
    weight: 1,
    arbitrary: fc.record({
      type: fc.constant('jump' as const),
      ms: fc.constantFrom(-400 * DAY, 400 * DAY),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      type: fc.constant('dying pass' as const),
      calls: fc.nat(12),
      kept,
      isAfter: fc.boolean(),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      type: fc.constant('busy pass' as const),
      acts: fc.array(plain, { minLength: 1, maxLength: 3 }),
    }),
  },
)

/** What has to be there. */
class Model {
  readonly world = new SweepWorld()
  readonly #named = new Map<number, File>()
  /** When the hub last said that it has a chunk, as time really went. */
  readonly #said = new Map<ChunkId, number>()

  async run(act: Act): Promise<void> {
    const { world } = this
    switch (act.type) {
      case 'write':
        if (act.isStored) await this.#store(files[act.file]!)
        this.#named.set(act.node, files[act.file]!)
        // One that goes on with a session says it when it has stored it; one that comes back says what it has.
        return world.write(act.node, files[act.file]!.content, {}, act.isStored ? 'receive' : 'catchUp')
      case 'store':
        return this.#store(files[act.file]!)
      case 'ask': {
        const ids = files[act.file]!.pieces.map(({ id }) => id)
        const needed = new Set(await (await world.hub).authority.need(ids))
        return this.#note(ids.filter((id) => !needed.has(id)))
      }
      case 'remove':
        this.#named.delete(act.node)
        return world.write(act.node, undefined)
      case 'wait':
        return world.advance(act.ms)
      case 'jump':
        world.wallMs += act.ms
        return
      case 'pass':
        await world.pass()
        return
      case 'restart':
        return world.restart()
      case 'crash':
        return world.crash(act.kept)
      case 'dying pass': {
        await world.restart()
        const died = mortal(world, act.calls, act.isAfter)
        await Promise.race([world.pass(), died])
        world.around = (store) => store
        return world.crash(act.kept)
      }
      case 'busy pass': {
        await world.restart()
        slow(world)
        const acts = async () => {
          for (const inner of act.acts) await this.run(inner)
        }
        await Promise.all([world.pass(), acts()])
        await world.restart()
        world.around = (store) => store
      }
    }
  }

  /** A device that is asked for bytes sends them, if it has them: this one keeps everything. */
  async answerWants(): Promise<void> {
    const { world } = this
    const asked = world.wanted.splice(0)
    await (await world.hub).custody.opened(async (versions) => void asked.push(...versions))
    for (const { root } of asked) await this.#store(files.find(({ content }) => content.root === root)!)
  }

  async check(): Promise<void> {
    const { world } = this
    const named = [...this.#named.values()].flatMap(({ pieces }) => pieces.map(({ id }) => id))
    expect(await world.lost(named), 'what a register names').toEqual([])
    const said = [...this.#said].filter(([, atMs]) => world.monotonicMs - atMs < DAY).map(([id]) => id)
    expect(await world.lost(said), 'what the hub has said it has').toEqual([])
    expect([...world.missingAtCrash, ...(await world.missing())], 'blobs that only the index has').toEqual([])
  }

  async #store(file: File): Promise<void> {
    await this.world.store(file)
    this.#note(file.pieces.map(({ id }) => id))
  }

  #note(ids: readonly ChunkId[]): void {
    for (const id of ids) this.#said.set(id, this.world.monotonicMs)
  }
}

describe('whatever happens in whatever order', () => {
  test('[BG21] [BG23] [BG24] what is named or promised can be read at every moment, and in the end nothing is left', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(act, { minLength: 1, maxLength: 30 }), async (acts) => {
        const model = new Model()
        for (const one of acts) {
          await model.run(one)
          await model.answerWants()
          await model.check()
        }
        const { world } = model
        for (let n = 0; n < NODES; n++) await model.run({ type: 'remove', node: n })
        for (let i = 0; i < 5; i++) {
          world.advance(KEEP_MS + DAY)
          await world.pass()
        }
        expect(await world.blobs()).toEqual([])
        expect(world.rows().filter((key) => !key.startsWith('blob-index/a/'))).toEqual([])
      }),
      { numRuns: RUNS },
    )
  }, 120_000)
})
