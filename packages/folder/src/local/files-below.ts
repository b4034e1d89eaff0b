import { errnoOf } from '../adapters/node-file-system.js'
import type { FileSystem } from '../ports/file-system.js'

/**
 * Regular files at any depth, by no symlink. What may not be looked at is left out.
 *
 * @returns paths relative to the directory.
 */
export function* filesBelow(
  files: FileSystem,
  directory: string,
  above = '',
): Generator<{ readonly path: string; readonly size: number }> {
  const names = ifAllowed(() => files.readdir(`${directory}/${above}`)) ?? []
  for (const bytes of names) {
    const path = above + Buffer.from(bytes).toString('utf8')
    const stat = ifAllowed(() => files.lstat(`${directory}/${path}`))
    if (stat?.kind === 'dir') yield* filesBelow(files, directory, `${path}/`)
    else if (stat?.kind === 'file') yield { path, size: stat.size }
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
