import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { openBoundFolder } from './bound-folder.js'

const closing: (() => Promise<void> | void)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

/** A folder of this name, bound with its state at a place relative to it; nobody is at the hub's address. */
async function open(state: string) {
  const root = fs.mkdtempSync(join(tmpdir(), 'tidemark-bound-'))
  closing.push(() => fs.rmSync(root, { recursive: true, force: true }))
  const directory = join(root, 'folder')
  fs.mkdirSync(directory)
  const place = join(directory, state)
  const bound = await openBoundFolder({
    paths: {
      folder: directory,
      state: place,
      inFolder: false,
      statusFile: join(place, 'status.json'),
      socket: '',
    },
    directory,
    hub: 'ws://127.0.0.1:1',
    space: 'default',
    token: undefined,
    folder: {},
    transfers: {},
  })
  closing.push(() => bound.close())
  return bound
}

test.each(['state', '..state', '...', '..state/below'])(
  'a state in the folder, at %s, is refused',
  async (state) => {
    await expect(open(state)).rejects.toThrow('is in the folder that is kept in sync')
  },
)

test.each(['../..state', '../folder..'])('a state beside the folder, at %s, is not', async (state) => {
  await open(state)
})
