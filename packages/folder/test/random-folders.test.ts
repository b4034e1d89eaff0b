import * as fs from 'node:fs'
import { dirname } from 'node:path'
import { expect, test } from 'vitest'
import { type Bound, bind, hub, onDisk } from './fixture.js'

/** Replay one failure: `TIDEMARK_SEED=…`; look for others: `TIDEMARK_SEEDS=<count>`. */
const SEEDS = process.env.TIDEMARK_SEED
  ? [Number(process.env.TIDEMARK_SEED)]
  : Array.from({ length: Number(process.env.TIDEMARK_SEEDS ?? 3) }, (_, i) => i + 1)
const ROUNDS = Number(process.env.TIDEMARK_ROUNDS ?? 4)

/** mulberry32, a small generator in the public domain by Tommy Ettinger: the same script for one seed. */
function generator(seed: number): (below: number) => number {
  let state = seed >>> 0
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) % below
  }
}

/** One thing that a user does; what cannot be done is skipped. */
function act({ directory, path }: Bound, random: (below: number) => number, text: string): string {
  const tree = onDisk(directory)
  const all = Object.keys(tree)
  const dirs = ['', ...all.filter((name) => tree[name] === '/')]
  const files = all.filter((name) => tree[name] !== '/')
  const pick = <T>(from: readonly T[]): T => from[random(from.length)]!
  const fresh = () => [pick(dirs), pick(['a', 'b', 'c', 'ä', 'x.txt'])].filter(Boolean).join('/')
  const doing = random(10)
  try {
    if (doing < 3) {
      const name = fresh()
      fs.writeFileSync(path(name), text)
      return `write ${name}`
    }
    if (doing < 4) {
      const name = fresh()
      fs.mkdirSync(path(name))
      return `mkdir ${name}`
    }
    if (doing < 5 && files.length > 0) {
      const name = pick(files)
      fs.writeFileSync(path(`${name}.tmp`), text)
      fs.renameSync(path(`${name}.tmp`), path(name))
      return `save by rename ${name}`
    }
    if (doing < 8 && all.length > 0) {
      const from = pick(all)
      const to = fresh()
      fs.renameSync(path(from), path(to))
      return `rename ${from} ${to}`
    }
    if (all.length > 0) {
      const name = pick(all)
      fs.rmSync(path(name), { recursive: true })
      return `rm ${name} (in ${dirname(name)})`
    }
  } catch (error) {
    return `refused: ${(error as Error).message.slice(0, 30)}`
  }
  return 'nothing'
}

test.each(SEEDS)('two folders under random hands end equal (TIDEMARK_SEED=%i)', async (seed) => {
  const random = generator(seed)
  const theHub = await hub()
  const both = [await bind({ hub: theHub }), await bind({ hub: theHub })]
  const log: string[] = []
  const settleAll = async () => {
    for (let round = 0; round < 2; round++) {
      await Promise.all(both.map(({ binding }) => binding.settled({ signal: AbortSignal.timeout(15_000) })))
    }
  }
  try {
    for (let round = 0; round < ROUNDS; round++) {
      for (let step = 0; step < 12; step++) {
        const side = random(2)
        log.push(`${'ab'[side]}: ${act(both[side]!, random, `${round}.${step} by ${side}`)}`)
        if (random(3) === 0) await new Promise((resolve) => setTimeout(resolve, random(60)))
      }
      await settleAll()
      log.push('settled')
      // Each is one with the hub; what the hub got from one last may still be on its way to the other.
      const trees = () =>
        both.map(({ directory }) => JSON.stringify(Object.entries(onDisk(directory)).sort()))
      await expect.poll(() => new Set(trees()).size, { timeout: 10_000 }).toBe(1)
    }
  } catch (error) {
    const status = both.map(({ binding }) => JSON.stringify(binding.status))
    throw new Error([...log, ...status, String(error)].join('\n'), { cause: error })
  }
})
