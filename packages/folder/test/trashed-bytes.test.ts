import * as fs from 'node:fs'
import { MemoryKeyValueStore, openReplica } from '@tidemark/engine'
import { nodePlatform } from '@tidemark/engine/node'
import type { Hub } from '@tidemark/server-reference'
import { webSocketTransport } from '@tidemark/transport-ws'
import { expect, test, vi } from 'vitest'
import { atEnd, type Bound, bind, hub, onDisk, paths } from './fixture.js'

const settled = (bound: Bound) => bound.binding.settled({ signal: AbortSignal.timeout(20_000) })

/** A replica without a folder, which reads no bytes. */
async function program(storage: MemoryKeyValueStore, theHub?: Hub) {
  const replica = await openReplica({ storage, platform: nodePlatform })
  atEnd(() => replica.close())
  if (theHub) replica.connect(webSocketTransport(theHub.url))
  return { replica, space: await replica.openSpace('default') }
}

test.each([
  ['small', 'text'],
  ['large', 'text'.repeat(500_000)],
])('[BG22] the last bytes of a %s file come from the trash of whoever has them', async (_, text) => {
  const first = await hub()
  const [ann, bob] = [await bind({ hub: first }), await bind({ hub: first })]
  const storage = new MemoryKeyValueStore()
  const moving = await program(storage, first)
  fs.writeFileSync(ann.path('f'), text)
  await settled(ann)
  await vi.waitFor(() => expect(onDisk(bob.directory)).toEqual({ f: text }), 5_000)
  await vi.waitFor(async () => expect(await paths(moving.space)).toEqual(['f']), 5_000)
  await moving.replica.close()
  fs.rmSync(ann.path('f'))
  await settled(ann)
  await vi.waitFor(() => expect(onDisk(bob.directory)).toEqual({}), 5_000)
  for (const { binding, replica } of [ann, bob]) {
    await binding.close()
    await replica.close()
  }
  // Of what the hub had nothing is left.
  const second = await hub()
  const away = await program(storage)
  await away.space.move('f', 'g')
  await away.replica.close()
  await program(storage, second)
  const again = await bind({ hub: second, directory: bob.directory, storage: bob.storage })
  await vi.waitFor(() => expect(onDisk(again.directory)).toEqual({ g: text }), 10_000)
  const other = await bind({ hub: second, directory: ann.directory, storage: ann.storage })
  await vi.waitFor(() => expect(onDisk(other.directory)).toEqual({ g: text }), 10_000)
})
