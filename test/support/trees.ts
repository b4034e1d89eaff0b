import { createHash } from 'node:crypto'
import { closeSync, existsSync, lstatSync, openSync, readdirSync, readlinkSync, readSync } from 'node:fs'
import { join } from 'node:path'

/** Path → what is there: `dir`, `-> target`, or `<size> <sha256> [x]`. The tool's own directory is left out. */
export type Tree = Record<string, string>

const READS_MAX = 100

/** Of one moment, more or less: what goes while it is read is read once more. */
export function readTree(root: string): Tree {
  for (let reads = 1; ; reads++) {
    const tree: Tree = {}
    try {
      walk(root, '', tree)
      return tree
    } catch (error) {
      const isGone = ['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')
      if (!isGone || reads === READS_MAX || !existsSync(root)) throw error
    }
  }
}

function walk(root: string, prefix: string, tree: Tree): void {
  for (const name of readdirSync(join(root, prefix)).sort()) {
    const path = prefix === '' ? name : `${prefix}/${name}`
    if (path === '.tidemark') continue
    const full = join(root, path)
    const stat = lstatSync(full)
    if (stat.isDirectory()) {
      tree[path] = 'dir'
      walk(root, path, tree)
    } else if (stat.isSymbolicLink()) {
      tree[path] = `-> ${readlinkSync(full)}`
    } else if (stat.isFile()) {
      tree[path] = `${stat.size} ${hashFile(full)}${stat.mode & 0o100 ? ' x' : ''}`
    }
  }
}

export function hashFile(path: string): string {
  const hash = createHash('sha256')
  const buffer = Buffer.allocUnsafe(1 << 20)
  const fd = openSync(path, 'r')
  try {
    for (;;) {
      const count = readSync(fd, buffer)
      if (count === 0) break
      hash.update(buffer.subarray(0, count))
    }
  } finally {
    closeSync(fd)
  }
  return hash.digest('hex')
}

/** Only the names and, for text files, nothing else: handy in expectations. */
export function paths(tree: Tree): string[] {
  return Object.keys(tree)
}
