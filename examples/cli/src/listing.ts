import type { Space, ViewEntry } from '@tidemark/engine'

/** One line of `ls` and `conflicts`; stable. */
export interface Listed {
  readonly path: string
  readonly kind: string
  /** Bytes; 0 for directories. */
  readonly size: number
  readonly role: 'main' | 'conflict' | 'clash'
}

/** Entries of a directory, by name in code point order. */
export async function listDirectory(space: Space, path: string): Promise<Listed[]> {
  const entries = await space.list(path)
  return sorted(entries.map((entry) => listed(path === '' ? entry.name : `${path}/${entry.name}`, entry)))
}

/** Every conflict copy and name clash of the space. */
export async function listConflicts(space: Space): Promise<Listed[]> {
  return sorted((await space.conflicts()).map(({ path, entry }) => listed(path, entry)))
}

function listed(path: string, { kind, version, role }: ViewEntry): Listed {
  return { path, kind, size: version?.size ?? 0, role }
}

function sorted(entries: Listed[]): Listed[] {
  return entries.sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0))
}
