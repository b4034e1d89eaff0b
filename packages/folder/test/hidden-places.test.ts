import * as fs from 'node:fs'
import type { Hub } from '@tidemark/server-reference'
import { expect, test } from 'vitest'
import { type Bound, bind, hub, onDisk, paths } from './fixture.js'

/** Two folders of one hub; where they are bound `hide` is a directory, of which rules of `a` alone hide what is in it. */
async function hiding(
  prepare: (a: Bound) => void = () => {},
  options: Parameters<typeof hub>[0] = {},
): Promise<{ theHub: Hub; a: Bound; b: Bound }> {
  const theHub = await hub(options)
  const [a, b] = [await bind({ hub: theHub }), await bind({ hub: theHub })]
  fs.mkdirSync(a.path('hide'))
  prepare(a)
  await a.binding.settled()
  const before = onDisk(a.directory)
  await expect.poll(() => onDisk(b.directory), { timeout: 20_000 }).toEqual(before)
  // It hides itself.
  fs.writeFileSync(a.path('.tidemarkignore'), '.tidemarkignore\n/hide/*\n')
  await a.binding.settled()
  return { theHub, a, b }
}

const namesIn = ({ directory }: Bound): string[] => Object.keys(onDisk(directory)).sort()

const becomes = async (bound: Bound, names: readonly string[]): Promise<void> => {
  const now = () => ({ names: namesIn(bound), state: bound.binding.status.state })
  await expect.poll(now, { timeout: 20_000 }).toEqual({ names, state: 'idle' })
}

test('[FB14] what others made where rules hide it comes with its directory when they move that to where it is seen', async () => {
  const { a, b } = await hiding()
  fs.mkdirSync(b.path('hide/q/r'), { recursive: true })
  fs.writeFileSync(b.path('hide/q/r/x'), 'x')
  await expect.poll(() => paths(a.space), { timeout: 20_000 }).toContain('hide/q/r/x')
  fs.renameSync(b.path('hide/q'), b.path('q'))
  await b.binding.settled()
  await becomes(a, ['.tidemarkignore', 'hide', 'q', 'q/r', 'q/r/x'])
}, 60_000)

test('[FB14] what others move to where rules hide it leaves its place: a directory as a file', async () => {
  const { a, b } = await hiding(({ path }) => {
    fs.mkdirSync(path('v'))
    fs.writeFileSync(path('v/x'), 'x')
    fs.writeFileSync(path('f'), 'f')
  })
  fs.renameSync(b.path('v'), b.path('hide/v'))
  fs.renameSync(b.path('f'), b.path('hide/f'))
  await b.binding.settled()
  await becomes(a, ['.tidemarkignore', 'hide'])
  await becomes(b, ['hide', 'hide/f', 'hide/v', 'hide/v/x'])
  expect(await paths(a.space)).toEqual(['hide', 'hide/f', 'hide/v', 'hide/v/x'])
}, 60_000)

test('[HB20] an edit that the hub refuses stays where it is, though others have moved the file to where rules hide it', async () => {
  const { theHub, a, b } = await hiding(({ path }) => fs.writeFileSync(path('f'), 'small'), {
    fileBytesMax: 1_000,
  })
  await a.binding.close()
  await a.replica.close()
  const large = 'x'.repeat(2_000)
  fs.writeFileSync(a.path('f'), large)
  fs.renameSync(b.path('f'), b.path('hide/f'))
  await b.binding.settled()
  const again = await bind({ hub: theHub, directory: a.directory, storage: a.storage })
  const problems = () => again.binding.status.problems.map(({ cause, path }) => `${cause} ${path}`)
  await expect.poll(problems, { timeout: 20_000 }).toEqual(['refused-by-hub f'])
  await becomes(again, ['.tidemarkignore', 'f', 'hide'])
  expect(fs.readFileSync(again.path('f'), 'utf8')).toBe(large)

  fs.truncateSync(again.path('f'), 10)
  await becomes(again, ['.tidemarkignore', 'hide'])
  await expect.poll(() => onDisk(b.directory)['hide/f'], { timeout: 20_000 }).toBe('x'.repeat(10))
}, 90_000)
