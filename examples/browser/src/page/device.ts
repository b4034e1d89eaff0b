import { openReplica, type Replica, type Space } from '@tidemark/engine'
import {
  browserPlatform,
  type IndexedDbBlobStore,
  openIndexedDbBlobStore,
  openIndexedDbStore,
} from '@tidemark/engine/browser'
import { webSocketTransport } from '@tidemark/transport-ws/browser'
import { databaseName } from './database-name.js'
import type { Settings } from './settings.js'

export interface Device {
  readonly replica: Replica
  readonly space: Space
  close(): Promise<void>
}

/**
 * This browser as a device: a database, and bytes if they are kept, in IndexedDB, and a session with the hub
 * whenever it can be reached.
 *
 * @throws {DatabaseError} LOCKED: another tab has it open. @throws {TypeError} not the address of a hub, not the
 *   name of a space, or a page that is not served securely.
 */
export async function openDevice({ hub, token, space: name, keepsBytes }: Settings): Promise<Device> {
  const transport = webSocketTransport(hub)
  const platform = await browserPlatform()
  const database = databaseName(hub, name)
  const storage = await openIndexedDbStore(database)
  let blobs: IndexedDbBlobStore | undefined
  const closeStores = async (): Promise<void> => {
    await storage.close()
    await blobs?.close()
  }
  try {
    if (keepsBytes) blobs = await openIndexedDbBlobStore(database, platform)
    const kept = blobs ? { blobs } : {}
    const replica = await openReplica({ storage, platform, agent: 'tidemark-browser', ...kept })
    const space = await replica.openSpace(name)
    replica.connect(transport, token === '' ? {} : { token })
    const close = async (): Promise<void> => {
      await replica.close()
      await closeStores()
    }
    return { replica, space, close }
  } catch (error) {
    // Their locks would keep the next attempt out.
    await closeStores()
    throw error
  }
}
