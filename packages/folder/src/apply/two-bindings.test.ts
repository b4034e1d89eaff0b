import * as fs from 'node:fs'
import { expect, test } from 'vitest'
import { bind, hub, onDisk } from '../../test/fixture.js'

test('many small files and a large one arrive, and a renamed directory keeps its inode on the other side', async () => {
  const theHub = await hub()
  const [a, b] = [await bind({ hub: theHub }), await bind({ hub: theHub })]
  const settled = async () => {
    for (const { binding } of [a, b]) await binding.settled({ signal: AbortSignal.timeout(40_000) })
  }
  fs.mkdirSync(a.path('many'))
  for (let i = 0; i < 1_000; i++) fs.writeFileSync(a.path(`many/${i}`), `file ${i}`)
  fs.writeFileSync(a.path('large'), Buffer.alloc(3 * 1024 * 1024, 'large and '))
  await settled()
  expect(onDisk(b.directory)).toEqual(onDisk(a.directory))
  const { ino } = fs.statSync(b.path('many'))
  fs.renameSync(a.path('many'), a.path('renamed'))
  await settled()
  expect(fs.statSync(b.path('renamed')).ino).toBe(ino)
  expect(onDisk(b.directory)).toEqual(onDisk(a.directory))
  expect(fs.readdirSync(b.path('.tidemark/staging'))).toEqual([])
}, 90_000)
