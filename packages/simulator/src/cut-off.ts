import { type MemoryKeyValueStore, visibleContents } from '@tidemark/engine'
import { decodeNodeEntry, vectorHas } from '@tidemark/protocol'
import { frontierOf } from './frontier.js'
import { NODES } from './hub-bytes.js'
import { keyOf } from './shown.js'

interface Moment {
  readonly devices: readonly MemoryKeyValueStore[]
  readonly hub: MemoryKeyValueStore
}

/**
 * What a device had written when the hub stopped waiting for it, and the end of whose round the hub had not heard.
 * It may have arrived, and be deleted or overwritten since: nobody can tell later, and it comes back.
 */
export class CutOff {
  readonly #moments: Moment[] = []

  /** The hub waits for one of these no longer. */
  note(devices: readonly MemoryKeyValueStore[], hub: MemoryKeyValueStore): void {
    if (devices.length === 0) return
    this.#moments.push({ devices: devices.map((storage) => storage.backup()), hub: hub.backup() })
  }

  /** Content keys. */
  async keys(): Promise<ReadonlySet<string>> {
    const keys = new Set<string>()
    for (const { devices, hub } of this.#moments) {
      const frontier = await frontierOf(hub)
      for (const storage of devices) {
        for await (const page of storage.range(NODES)) {
          for (const [, row] of page) {
            const entry = decodeNodeEntry(row)
            if (entry.kind !== 'file') continue
            for (const { dot, value } of visibleContents(entry))
              if (value.root !== undefined && !vectorHas(frontier, dot))
                keys.add(keyOf({ ...value, root: value.root }))
          }
        }
      }
    }
    return keys
  }
}
