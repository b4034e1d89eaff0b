import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { writeRandomFile } from './support/bytes.js'
import { TOKEN, until, type World } from './support/processes.js'
import { readTree } from './support/trees.js'
import { twoFolders } from './support/two-folders.js'

const TEN_YEARS_MS = 10 * 365.25 * 86_400_000

let world: World
let hub: { url: string }
let a: string
let b: string
/** `a` lives ten years ahead of the hub, `b` ten years behind. */
let ahead: readonly string[]
let behind: readonly string[]
beforeEach(async () => {
  ;({ world, hub, a, b } = await twoFolders())
  ahead = shifted('ahead', TEN_YEARS_MS)
  behind = shifted('behind', -TEN_YEARS_MS)
})
afterEach(() => world.close())

/** Runs the command line with a wall clock that is wrong by so much. */
function shifted(name: string, byMs: number): readonly string[] {
  const preload = world.path(`${name}.mjs`)
  writeFileSync(preload, `const now = Date.now\nDate.now = () => now() + ${byMs}\n`)
  return ['env', `NODE_OPTIONS=--import=${preload}`]
}
const write = (folder: string, path: string, text: string): void => writeFileSync(join(folder, path), text)
const read = (folder: string, path: string): string => readFileSync(join(folder, path), 'utf8')

test('[VW4] clocks twenty years apart: the later edit holds whatever its stamp, grants are good, both of two concurrent edits stay', async () => {
  write(a, 'f.txt', 'from the future')
  // Large enough to go by a grant, whose expiry only the hub may judge.
  writeRandomFile(join(a, 'up.bin'), 3 << 20, 'clock-a')
  expect(await world.once(a, hub, { wrapper: ahead })).toBe(0)
  expect(await world.once(b, hub, { wrapper: behind })).toBe(0)
  write(b, 'f.txt', 'edited later, stamped twenty years earlier')
  writeRandomFile(join(b, 'down.bin'), 9 << 20, 'clock-b')
  expect(await world.once(b, hub, { wrapper: behind })).toBe(0)
  expect(await world.once(a, hub, { wrapper: ahead })).toBe(0)
  expect(read(a, 'f.txt')).toBe('edited later, stamped twenty years earlier')
  expect(readTree(a)).toEqual(readTree(b))
  write(a, 'f.txt', 'A')
  write(b, 'f.txt', 'B')
  expect(await world.once(a, hub, { wrapper: ahead })).toBe(0)
  expect(await world.once(b, hub, { wrapper: behind })).toBe(0)
  expect(await world.once(a, hub, { wrapper: ahead })).toBe(0)
  expect(readTree(a)).toEqual(readTree(b))
  const texts = Object.keys(readTree(a)).filter((path) => path.endsWith('.txt'))
  expect(texts.map((path) => read(a, path)).sort()).toEqual(['A', 'B'])
})

test('[LV1] live edits travel at once between clocks twenty years apart', async () => {
  const args = (folder: string) => ['sync', folder, '--hub', hub.url, '--token', TOKEN]
  const liveA = world.spawn(args(a), ahead)
  const liveB = world.spawn(args(b), behind)
  await until('both are connected', () => liveA.lines.length > 0 && liveB.lines.length > 0)
  for (const [from, to, name] of [
    [a, b, 'down'],
    [b, a, 'up'],
  ] as const) {
    write(from, name, name)
    await until(`${name} arrives`, () => existsSync(join(to, name)), 10_000)
  }
  expect(await liveA.stop()).toBe(0)
  expect(await liveB.stop()).toBe(0)
})
