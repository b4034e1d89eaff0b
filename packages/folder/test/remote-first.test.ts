import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { MemoryKeyValueStore, openReplica } from '@tidemark/engine'
import { nodePlatform } from '@tidemark/engine/node'
import { bindFolder, type FolderEvent } from '@tidemark/folder'
import { webSocketTransport } from '@tidemark/transport-ws'
import { expect, test } from 'vitest'
import { atEnd, hub, onDisk, temporaryDirectory } from './fixture.js'

const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

async function device(
  url: string,
  directory: string,
  storage: MemoryKeyValueStore,
  onEvent: (e: FolderEvent) => void = () => undefined,
) {
  const replica = await openReplica({ storage, platform: nodePlatform, collectEveryMs: 40 })
  replica.connect(webSocketTransport(url))
  const space = await replica.openSpace('default', { bound: true })
  const binding = await bindFolder(space.binding, directory, { onEvent })
  const close = async () => {
    await binding.close()
    await replica.close()
  }
  return { replica, space, binding, close }
}

/** So many that the first pass is not through when something happens. */
const NEW = 1_500
test.each([false, true])(
  '[GC17] what others deleted does not come back although something happens meanwhile: %s',
  async (isBusy) => {
    const server = await hub({ evictAfterDays: 1.5 / 86_400, collectEveryMs: 40 })
    const [annDir, bobDir] = [temporaryDirectory(), temporaryDirectory()]
    const [annStore, bobStore] = [new MemoryKeyValueStore(), new MemoryKeyValueStore()]
    mkdirSync(join(annDir, 'old'))
    for (let i = 0; i < 20; i++) writeFileSync(join(annDir, 'old', `f${i}`), `f${i}`)
    const ann = await device(server.url, annDir, annStore)
    atEnd(ann.close)
    await ann.binding.settled()
    const bob = await device(server.url, bobDir, bobStore)
    await bob.binding.settled()
    expect(Object.keys(onDisk(bobDir)).length).toBe(21)
    await wait(100)
    await bob.close()
    rmSync(join(annDir, 'old'), { recursive: true })
    for (let i = 0; i < NEW; i++) writeFileSync(join(annDir, `new${i}`), `new${i}`)
    await ann.binding.settled()
    await expect.poll(() => ann.space.tombstones(), { timeout: 15_000, interval: 100 }).toBe(0)
    writeFileSync(join(bobDir, 'old', 'mine'), 'mine')
    let timer: NodeJS.Timeout | undefined
    let n = 0
    const again = await device(server.url, bobDir, bobStore, (event) => {
      if (isBusy && event.detail?.startsWith('away'))
        timer = setInterval(() => writeFileSync(join(bobDir, 'notes'), `${++n}`), 20)
    })
    atEnd(again.close)
    await wait(3000)
    clearInterval(timer)
    await again.binding.settled()
    await ann.binding.settled()
    await wait(300)
    const there = Object.keys(onDisk(annDir)).filter((path) => path.startsWith('old'))
    expect(there).toEqual(['old', 'old/mine'])
  },
  60_000,
)
