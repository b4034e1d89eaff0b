import {
  type EntryKey,
  entryKey,
  type MemoryKeyValueStore,
  SpaceDatabase,
  type ViewEntry,
} from '@tidemark/engine'
import { type DeviceId, type NodeId, parseSpaceName, ROOT } from '@tidemark/protocol'
import { hasher } from './hasher.js'
import { isPrivate } from './shown.js'
import { SPACE } from './space.js'

const OF_SPACE = `s/${SPACE}/`
/** Rows of a folder by the place on disk; entries that it is to look at; what it is while it begins anew. */
const ROWS = `${OF_SPACE}b/d/`
const MARKS = `${OF_SPACE}dk/`
const BEGINNING_ANEW = `${OF_SPACE}z/`
const ROOT_RECORD = `${OF_SPACE}b/root`

/**
 * Entries that a folder with this database shows otherwise than the space does, or that only one of the two has,
 * and that the folder does not know to look at: it would say that all is equal. Looked at in one moment. What has the
 * name of a private file, or stands below it, is left out: where rules hide it, nobody shows it.
 */
export async function unmarkedEntries(storage: MemoryKeyValueStore): Promise<readonly string[]> {
  const copy = storage.backup()
  const root = parse<{ readonly imported: boolean }>(await copy.get(ROOT_RECORD))
  if (!root?.imported || copy.entries(below(BEGINNING_ANEW)).length > 0) return []
  const marked = new Set(copy.entries(below(MARKS)).map(([key]) => key.slice(MARKS.length)))
  const rows = new Map<EntryKey, ViewEntry>()
  for (const [, value] of copy.entries(below(ROWS))) {
    const [key, entry] = parse<[EntryKey, ViewEntry]>(value)!
    rows.set(key, entry)
  }
  const { shown, hidden } = await shownBy(copy)
  const unmarked: string[] = []
  for (const key of new Set([...rows.keys(), ...shown.keys()])) {
    if (marked.has(key)) continue
    const [row, entry] = [rows.get(key), shown.get(key)]
    const isHidden = hidden.has(key) || (!entry && (isPrivate(row!.name) || hidden.has(row!.parent)))
    if (isHidden) continue
    if (textOf(row) !== textOf(entry)) unmarked.push(`${key}: ${textOf(row)}, shown as ${textOf(entry)}`)
  }
  return unmarked
}

interface ShownEntries {
  readonly shown: ReadonlyMap<EntryKey, ViewEntry>
  /** Those with the name of a private file, and what is below them. */
  readonly hidden: ReadonlySet<EntryKey>
}

async function shownBy(storage: MemoryKeyValueStore): Promise<ShownEntries> {
  const { received } = await SpaceDatabase.open({
    storage,
    space: parseSpaceName(SPACE),
    device: '0'.repeat(16) as DeviceId,
    mode: 'bound',
    clock: { nowMs: () => 0 },
    random: { bytes: (length) => new Uint8Array(length) },
    sha256: hasher.sha256,
  })
  const shown = new Map<EntryKey, ViewEntry>()
  const hidden = new Set<EntryKey>()
  const directories: NodeId[] = [ROOT]
  for (let directory = directories.pop(); directory !== undefined; directory = directories.pop()) {
    for await (const page of received.children(directory)) {
      for (const entry of page) {
        shown.set(entryKey(entry), entry)
        if (isPrivate(entry.name) || hidden.has(directory)) hidden.add(entryKey(entry))
        if (entry.kind === 'dir') directories.push(entry.node)
      }
    }
  }
  return { shown, hidden }
}

const textOf = (entry: ViewEntry | undefined): string =>
  entry ? `${entry.parent.slice(0, 8)}/${entry.name} ${entry.version?.root.slice(0, 8) ?? ''}` : 'nothing'

const parse = <T>(value: Uint8Array | undefined): T | undefined =>
  value && (JSON.parse(Buffer.from(value).toString()) as T)

const below = (prefix: string): { gte: string; lt: string } => ({
  gte: prefix,
  lt: `${prefix.slice(0, -1)}0`,
})
