import * as fs from 'node:fs'
import { expect, test } from 'vitest'
import { type Bound, bind, hub, onDisk, paths } from './fixture.js'

/** Two folders of one hub; where they are bound `hide` is a directory, of which rules of `a` alone hide what is in it. */
async function hiding(prepare: (a: Bound) => void = () => {}): Promise<{ a: Bound; b: Bound }> {
  const theHub = await hub()
  const [a, b] = [await bind({ hub: theHub }), await bind({ hub: theHub })]
  fs.mkdirSync(a.path('hide'))
  prepare(a)
  await a.binding.settled()
  const before = onDisk(a.directory)
  await expect.poll(() => onDisk(b.directory), { timeout: 20_000 }).toEqual(before)
  // It hides itself.
  fs.writeFileSync(a.path('.tidemarkignore'), '.tidemarkignore\n/hide/*\n')
  await a.binding.settled()
  return { a, b }
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
