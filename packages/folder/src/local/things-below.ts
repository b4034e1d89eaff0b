import { errnoOf } from '../adapters/node-file-system.js'
import type { FileStat, FileSystem } from '../ports/file-system.js'

/**
 * All at any depth, directories before what is in them, by no symlink. What may not be looked at is left out.
 *
 * @returns paths relative to the directory.
 */
export function* thingsBelow(
  files: FileSystem,
  directory: string,
  above = '',
): Generator<{ readonly path: string; readonly stat: FileStat }> {
  const names = ifAllowed(() => files.readdir(`${directory}/${above}`)) ?? []
  for (const bytes of names) {
    const path = above + Buffer.from(bytes).toString('utf8')
    const stat = ifAllowed(() => files.lstat(`${directory}/${path}`))
    if (!stat) continue
    yield { path, stat }
    if (stat.kind === 'dir') yield* thingsBelow(files, directory, `${path}/`)
  }
}

function ifAllowed<T>(look: () => T): T | undefined {
  try {
    return look()
  } catch (error) {
    if (errnoOf(error) === undefined) throw error
    return undefined
  }
}
