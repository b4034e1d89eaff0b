import type { SpaceName } from '@tidemark/protocol'
import type { KeyValueStore } from '../ports/key-value-store.js'
import { decodeJson, encodeJson } from './json-row.js'
import type { SpaceMode } from './space-options.js'

const keyOf = (space: SpaceName): string => `s/${space}/m`

/**
 * A space keeps the mode that it was opened in first: what is written in another one would be missing in the tree
 * that this one keeps beside it. Of a database from before this was recorded the tree of a folder tells it, where
 * there is one.
 *
 * @throws {TypeError} it was opened in another mode.
 */
export async function mustKeepMode(storage: KeyValueStore, space: SpaceName, mode: SpaceMode): Promise<void> {
  const recorded = decodeJson<SpaceMode>(await storage.get(keyOf(space))) ?? (await hasFolder(storage, space))
  if (recorded !== undefined && recorded !== mode) throw otherMode(space, recorded)
}

/** Once it could be opened in it. */
export async function recordMode(storage: KeyValueStore, space: SpaceName, mode: SpaceMode): Promise<void> {
  if ((await storage.get(keyOf(space))) !== undefined) return
  await storage.batch([{ type: 'put', key: keyOf(space), value: encodeJson(mode) }], { sync: true })
}

async function hasFolder(storage: KeyValueStore, space: SpaceName): Promise<'bound' | undefined> {
  for await (const page of storage.range({ gte: `s/${space}/y/`, lt: `s/${space}/y0` }))
    if (page.length > 0) return 'bound'
  return undefined
}

export const otherMode = (space: SpaceName, recorded: SpaceMode): TypeError =>
  new TypeError(
    recorded === 'bound'
      ? `the space ${space} is bound to a folder: open it with bound`
      : `the space ${space} was opened without a folder: open it without bound`,
  )
