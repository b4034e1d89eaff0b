import * as fs from 'node:fs'
import { dirname } from 'node:path'
import { type Bound, onDisk } from './fixture.js'

/** mulberry32, a small generator in the public domain by Tommy Ettinger: the same script for one seed. */
export function generator(seed: number): (below: number) => number {
  let state = seed >>> 0
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) % below
  }
}

/** One thing that a user does; what cannot be done is skipped. */
export function act({ directory, path }: Bound, random: (below: number) => number, text: string): string {
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
