import { openReplica, type Replica, type Space } from '@tidemark/engine'
import { browserPlatform, openIndexedDbBlobStore, openIndexedDbStore } from '@tidemark/engine/browser'
import { webSocketTransport } from '@tidemark/transport-ws/browser'
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
  // One database a hub and space: those of two hubs have nothing to do with each other.
  const database = `${transport.label} ${name}`
  const storage = await openIndexedDbStore(database)
  const blobs = keepsBytes ? await openIndexedDbBlobStore(database, platform) : undefined
  const replica = await openReplica({
    storage,
    platform,
    agent: 'tidemark-browser',
    ...(blobs ? { blobs } : {}),
  })
  const space = await replica.openSpace(name)
  replica.connect(transport, token === '' ? {} : { token })
  // Without it the browser may clear the database when the disk is short of room; it may ask the user.
  void navigator.storage.persist()
  const close = async (): Promise<void> => {
    await replica.close()
    await blobs?.close()
  }
  return { replica, space, close }
}
