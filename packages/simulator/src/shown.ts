import { createHash } from 'node:crypto'

/** A tree as everybody must show it: by path `/`, `→ target`, or what tells a file's bytes apart, and its `EXECUTABLE`. */
export type Shown = Readonly<Record<string, string>>

/** Files up to this are told by their hash, which is what the space calls a file of one chunk; larger ones by their length. */
export const SMALL_BYTES = 1_024

/** Behind what tells the bytes of a file that may be executed. */
export const EXECUTABLE = ' x'

export function contentKey(text: string): string {
  if (text === '/' || text.startsWith('→')) return text
  return text.length > SMALL_BYTES ? `${text.length} bytes` : hashOf(text)
}

/** The same of a file by what the space says of it. */
export const keyOf = ({ root, size }: { readonly root: string; readonly size: number }): string =>
  size > SMALL_BYTES ? `${size} bytes` : root

/** Files that people share with nobody, once rules say so; an oracle for trees passes them over. */
export const PRIVATE_SUFFIX = '.mine'
export const RULES_FILE = '.tidemarkignore'

/** It, or a directory above it, has such a name. Rules heed no case. */
export const isPrivate = (path: string): boolean =>
  path.split('/').some((name) => name.toLowerCase().endsWith(PRIVATE_SUFFIX))

const HASHES = new Map<string, string>()
const HASHES_MAX = 20_000

function hashOf(text: string): string {
  const known = HASHES.get(text)
  if (known !== undefined) return known
  if (HASHES.size === HASHES_MAX) HASHES.clear()
  const hash = createHash('sha256').update(text).digest('hex')
  HASHES.set(text, hash)
  return hash
}

export const sortedByPath = (shown: Shown): Shown =>
  Object.fromEntries(Object.entries(shown).sort(([a], [b]) => (a < b ? -1 : 1)))

export const isFile = (text: string): boolean => text !== '/' && !text.startsWith('→')
