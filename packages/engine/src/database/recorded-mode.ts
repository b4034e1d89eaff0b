import type { SpaceName } from '@tidemark/protocol'
import type { KeyValueStore } from '../ports/key-value-store.js'
import { decodeJson, encodeJson } from './json-row.js'
import type { SpaceMode } from './space-options.js'

/**
 * A space keeps the mode that it was opened in first: what is written in another one would be missing in the tree
 * that this one keeps beside it. Databases from before this was recorded are taken as they are opened.
 *
 * @throws {TypeError} it was opened in another mode.
 */
export async function mustKeepMode(storage: KeyValueStore, space: SpaceName, mode: SpaceMode): Promise<void> {
  const key = `s/${space}/m`
  const recorded = decodeJson<SpaceMode>(await storage.get(key))
  if (recorded === mode) return
  if (recorded !== undefined) throw otherMode(space, recorded)
  await storage.batch([{ type: 'put', key, value: encodeJson(mode) }], { sync: true })
}

export const otherMode = (space: SpaceName, recorded: SpaceMode): TypeError =>
  new TypeError(
    recorded === 'bound'
      ? `the space ${space} is bound to a folder: open it with bound`
      : `the space ${space} was opened without a folder: open it without bound`,
  )
