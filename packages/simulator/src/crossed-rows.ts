import type { MemoryKeyValueStore } from '@tidemark/engine'
import { SPACE } from './space.js'

/** Rows of a folder by the place on disk, and places by the key of the entry. */
const PLACES = `s/${SPACE}/b/d/`
const KEYS = `s/${SPACE}/b/k/`

/**
 * What a database says in two ways: entries whose place has no row or that of another, and rows that no key leads
 * to. Looked at in one moment.
 */
export function crossedRows(storage: MemoryKeyValueStore): readonly string[] {
  const keyAt = new Map<string, string>()
  for (const [place, row] of storage.entries(below(PLACES))) {
    const [key] = JSON.parse(Buffer.from(row).toString()) as [string]
    keyAt.set(place.slice(PLACES.length - 'd/'.length), key)
  }
  const crossed: string[] = []
  for (const [index, value] of storage.entries(below(KEYS))) {
    const key = index.slice(KEYS.length)
    const place = Buffer.from(value).toString()
    if (keyAt.get(place) !== key) crossed.push(`${key} at ${place}: ${keyAt.get(place) ?? 'nothing'}`)
    else keyAt.delete(place)
  }
  for (const [place, key] of keyAt) crossed.push(`${place}: ${key}, which is elsewhere`)
  return crossed
}

const below = (prefix: string): { gte: string; lt: string } => ({
  gte: prefix,
  lt: `${prefix.slice(0, -1)}0`,
})
