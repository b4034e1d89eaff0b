import * as fs from 'node:fs'
import { expect, test } from 'vitest'
import { nodeFileSystem } from '../src/adapters/node-file-system.js'
import { bindOn, onDisk, paths, writerAndReader } from './fixture.js'

const TIMEOUT = { timeout: 10_000 }

test('the trash and the staging area come again when a user removes them while the program runs', async () => {
  const { writer, reader } = await writerAndReader()
  for (const name of ['edited', 'deleted']) fs.writeFileSync(writer.path(name), 'one')
  await expect.poll(() => onDisk(reader.directory), TIMEOUT).toEqual({ edited: 'one', deleted: 'one' })
  await reader.binding.settled()
  for (const name of ['trash', 'staging'])
    fs.rmSync(reader.path(`.tidemark/${name}`), { recursive: true, force: true })
  fs.writeFileSync(writer.path('edited'), 'two')
  fs.rmSync(writer.path('deleted'))
  await expect.poll(() => onDisk(reader.directory), TIMEOUT).toEqual({ edited: 'two' })
  expect(await reader.binding.settled()).toMatchObject({ problems: [] })
})

test('where the trash cannot be made again, what stands here is looked at all the same, and the problem says where', async () => {
  let isRefused = false
  const files: typeof nodeFileSystem = {
    ...nodeFileSystem,
    mkdir(path, mode) {
      if (isRefused && path.endsWith('/.tidemark/trash'))
        throw Object.assign(new Error('EACCES'), { code: 'EACCES' })
      nodeFileSystem.mkdir(path, mode)
    },
  }
  const { path, binding, space } = await bindOn({ files })
  await binding.settled()
  isRefused = true
  fs.rmSync(path('.tidemark/trash'), { recursive: true })
  fs.writeFileSync(path('new'), '')
  await binding.settled()
  expect(await paths(space)).toEqual(['new'])
  expect(binding.status.problems).toMatchObject([{ path: '.tidemark/trash', cause: 'cannot-write' }])
  isRefused = false
  expect(await binding.settled()).toMatchObject({ problems: [] })
})

test.each(['lstat', 'readFile'] as const)(
  '[FB8] a marker that a disk cannot show for a moment (%s) is not taken for missing: nothing is bound anew',
  async (call) => {
    let failures = 3
    const files: typeof nodeFileSystem = {
      ...nodeFileSystem,
      [call](path: string) {
        if (path.endsWith('/marker.json') && failures-- > 0)
          throw Object.assign(new Error('EIO'), { code: 'EIO' })
        return nodeFileSystem[call](path)
      },
    }
    const { directory, storage, binding, replica, path } = await bindOn({})
    await binding.settled()
    const marker = fs.readFileSync(path('.tidemark/marker.json'), 'utf8')
    await binding.close()
    await replica.close()
    const again = await bindOn({ files }, { directory, storage })
    await again.binding.settled()
    expect(failures).toBeLessThan(0)
    expect(fs.readFileSync(path('.tidemark/marker.json'), 'utf8')).toBe(marker)
    expect(again.binding.status).toMatchObject({ state: 'idle' })
  },
  30_000,
)
