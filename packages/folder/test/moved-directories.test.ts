import { randomUUID } from 'node:crypto'
import * as fs from 'node:fs'
import { MemoryKeyValueStore, openReplica } from '@tidemark/engine'
import { nodePlatform, systemClock, systemTimers } from '@tidemark/engine/node'
import { bindFolder, type FolderBinding, type WatchEvents } from '@tidemark/folder'
import { SimulatedDisk, userTree } from '@tidemark/folder/testing'
import type { Hub } from '@tidemark/server-reference'
import { webSocketTransport } from '@tidemark/transport-ws'
import { expect, test } from 'vitest'
import { atEnd, bind, hub } from './fixture.js'

const ROOT = '/folder'

interface Hinted {
  readonly disk: SimulatedDisk
  readonly binding: FolderBinding
  /** As a watcher would say it; nothing else does. */
  hint(directory: string): void
}

/** A folder on a simulated disk whose watcher is the test. */
async function bindHinted({ url }: Hub): Promise<Hinted> {
  const disk = new SimulatedDisk({ clock: systemClock })
  disk.mkdir(ROOT)
  const replica = await openReplica({ storage: new MemoryKeyValueStore(), platform: nodePlatform })
  atEnd(() => replica.close())
  replica.connect(webSocketTransport(url))
  const space = await replica.openSpace('default', { bound: true })
  let events: WatchEvents | undefined
  const binding = await bindFolder(
    space.binding,
    ROOT,
    {},
    {
      files: disk,
      openWatcher: (_root, reportsTo) => {
        events = reportsTo
        return { add: () => {}, covers: () => true, sweep: () => {}, close: () => {} }
      },
      clock: systemClock,
      timers: systemTimers,
      lock: () => () => undefined,
      realDirectory: (path) => path,
      newId: randomUUID,
    },
  )
  atEnd(() => binding.close())
  return { disk, binding, hint: (directory) => events!.hint(directory) }
}

test('[FB13] a file that is missing when others move its directory is deleted, though the old path is hinted at', async () => {
  const theHub = await hub()
  const a = await bind({ hub: theHub })
  const b = await bindHinted(theHub)
  fs.mkdirSync(a.path('p/d'), { recursive: true })
  fs.mkdirSync(a.path('q'))
  for (const name of ['p/d/gone', 'p/d/stays']) fs.writeFileSync(a.path(name), name)
  await a.binding.settled()
  await b.binding.settled()
  b.disk.unlink(`${ROOT}/p/d/gone`)
  b.hint('p/d')
  await expect.poll(() => b.binding.status.detail).toContain('things that are gone')
  fs.renameSync(a.path('p/d'), a.path('q/d'))
  await expect.poll(() => Object.keys(userTree(b.disk, ROOT)).sort()).toEqual(['p', 'q', 'q/d', 'q/d/stays'])
  b.hint('p/d')
  await expect.poll(() => fs.readdirSync(a.path('q/d')), { timeout: 5_000 }).toEqual(['stays'])
})
