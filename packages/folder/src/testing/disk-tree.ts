import { RESERVED_NAME } from '@tidemark/protocol'
import type { FileSystem } from '../ports/file-system.js'

/** By relative path: the text of a file, `->target` of a symlink, `/` of a directory. */
export type DiskTree = Record<string, string>

/** All that a user of a bound directory (absolute) sees. */
export function userTree(files: FileSystem, directory: string): DiskTree {
  return treeBelow(files, directory, '', (path) => path !== RESERVED_NAME)
}

/** Texts (and marks as in `DiskTree`) that are anywhere below a directory (absolute), trash and staging too. */
export function textsBelow(files: FileSystem, directory: string): Set<string> {
  return new Set(Object.values(treeBelow(files, directory, '', () => true)))
}

function treeBelow(
  files: FileSystem,
  directory: string,
  below: string,
  isTaken: (path: string) => boolean,
): DiskTree {
  const tree: DiskTree = {}
  const names = files.readdir(`${directory}/${below}`).map((name) => Buffer.from(name).toString())
  for (const name of names.sort()) {
    const path = below === '' ? name : `${below}/${name}`
    if (!isTaken(path)) continue
    const absolute = `${directory}/${path}`
    const { kind } = files.lstat(absolute)!
    if (kind === 'dir') Object.assign(tree, { [path]: '/' }, treeBelow(files, directory, path, isTaken))
    else if (kind === 'symlink') tree[path] = `->${Buffer.from(files.readlink(absolute))}`
    else tree[path] = Buffer.from(files.readFile(absolute)).toString()
  }
  return tree
}
