import { cpSync } from 'node:fs'
import { join } from 'node:path'
import { type EntryKey, entryKey, openReplica, type SpaceBinding, sameEntry } from '@tidemark/engine'
import { nodePlatform, openLevelStore } from '@tidemark/engine/node'
import { type NodeId, parseSpaceName, ROOT } from '@tidemark/protocol'
import { RowsStore } from '../../packages/folder/src/rows-store.js'

/**
 * What the database of a stopped, settled device says otherwise than that received tree, synced tree and rows
 * are one: nothing for a device that has really come to rest.
 *
 * @param copy Where the database is copied to first: reading opens it, and that leaves a trace in it.
 */
export async function disagreements(folder: string, copy: string): Promise<readonly string[]> {
  cpSync(join(folder, '.tidemark', 'state', 'database'), copy, { recursive: true })
  const storage = await openLevelStore(copy)
  const replica = await openReplica({ storage, platform: nodePlatform })
  try {
    const { binding } = await replica.openSpace(parseSpaceName('default'), { bound: true })
    return [...(await marked(binding)), ...(await different(binding))]
  } finally {
    await replica.close()
  }
}

async function marked(binding: SpaceBinding): Promise<string[]> {
  return (await binding.dirty(10)).map((key) => `still to be looked at: ${key}`)
}

async function different({ received, synced, rows: reader }: SpaceBinding): Promise<string[]> {
  const rows = new RowsStore(reader)
  const found: string[] = []
  const say = (what: string, key: EntryKey, ...values: unknown[]) =>
    void found.push(`${what}: ${key} ${values.map((value) => JSON.stringify(value)).join('\n  ')}`)
  let shown = 0
  const directories: NodeId[] = [ROOT]
  for (let dir = directories.pop(); dir !== undefined; dir = directories.pop()) {
    for await (const page of received.children(dir)) {
      for (const entry of page) {
        shown++
        const key = entryKey(entry)
        const [row, disk] = [await rows.get(key), await synced.entry(key)]
        if (entry.kind === 'dir') directories.push(entry.node)
        if (!sameEntry(entry, disk)) say('the synced tree shows it otherwise', key, entry, disk)
        if (!sameEntry(entry, row?.entry)) say('its row says otherwise', key, entry, row)
      }
    }
  }
  let placed = 0
  for await (const page of rows.all()) placed += page.length
  const keyed = await rows.count()
  if (placed !== shown || keyed !== shown)
    found.push(`${shown} entries have rows at ${placed} places under ${keyed} keys`)
  return found
}
