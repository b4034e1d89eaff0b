import { createHash } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { openReplica } from '@tidemark/engine'
import { nodePlatform, openLevelStore } from '@tidemark/engine/node'
import { ChunksMissingError } from '@tidemark/protocol'
import { fsBlobStore } from '@tidemark/store-fs'
import { webSocketTransport } from '@tidemark/transport-ws'
import { seededBytes } from '../packages/engine/test/bytes.js'

const ATTEMPTS_MAX = 50
const ATTEMPT_MS = 200

export interface NodeDeviceOptions {
  readonly directory: string
  readonly hub: string
  readonly token: string
  readonly space: string
}

/** Another device of the space, in Node. */
export async function openNodeDevice({ directory, hub, token, space: name }: NodeDeviceOptions) {
  const blobs = fsBlobStore({ directory: `${directory}/blobs` })
  await blobs.open()
  const replica = await openReplica({
    storage: await openLevelStore(`${directory}/state`),
    blobs,
    platform: nodePlatform,
  })
  replica.connect(webSocketTransport(hub), { token })
  const space = await replica.openSpace(name)
  const settled = () => space.settled({ signal: AbortSignal.timeout(20_000) })
  return {
    /** SHA-256 of a file, hex. */
    read: async (path: string): Promise<string> => {
      await settled()
      for (let attempt = 1; ; attempt++) {
        try {
          const hash = createHash('sha256')
          for await (const part of space.read(path)) hash.update(part)
          return hash.digest('hex')
        } catch (error) {
          // What was added offline is told before its bytes are there.
          if (!(error instanceof ChunksMissingError) || attempt === ATTEMPTS_MAX) throw error
          await delay(ATTEMPT_MS)
        }
      }
    },
    write: async ({ path, text }: { path: string; text: string }): Promise<void> => {
      await space.write(path, text)
    },
    writeLarge: async ({ path, bytes }: { path: string; bytes: number }): Promise<void> => {
      await space.write(path, seededBytes(5, bytes))
    },
    /** Names in the root. What the hub has is on its way here: it is waited for. */
    list: async (expected: readonly string[]): Promise<string[]> => {
      for (let attempt = 1; ; attempt++) {
        await settled()
        const names = (await space.list()).map(({ name }) => name)
        if (`${names}` === `${expected}` || attempt === ATTEMPTS_MAX) return names
        await delay(ATTEMPT_MS)
      }
    },
    close: () => replica.close(),
  }
}
