import type { RowsStore } from '../rows-store.js'
import type { HintSet } from '../watch/hints.js'
import { DirRef } from './dir-ref.js'

/** A directory that a local pass looks at. */
export interface Step {
  readonly dir: DirRef
  /** With all below. */
  readonly isDeep: boolean
}

/**
 * What a pass looks at because it was hinted, the last of these first: what is above has rules for what is below.
 *
 * @param root Inode of the bound directory.
 */
export async function hintedSteps(hints: HintSet, rows: RowsStore, root: string): Promise<readonly Step[]> {
  if (hints.isFull) return [{ dir: DirRef.root(root), isDeep: true }]
  const steps = new Map<string, Step>()
  for (const [path, isDeep] of hints.directories) {
    const dir = await nearestKnown(path, rows, root)
    // What is not known yet is found, with all below, by the nearest directory above it that is.
    const deep = (isDeep && dir.path === path) || steps.get(dir.path)?.isDeep === true
    steps.set(dir.path, { dir, isDeep: deep })
  }
  const depthOf = ({ dir: { path } }: Step): number => (path === '' ? 0 : path.split('/').length)
  return [...steps.values()].sort((a, b) => depthOf(b) - depthOf(a))
}

async function nearestKnown(path: string, rows: RowsStore, root: string): Promise<DirRef> {
  let dir = DirRef.root(root)
  if (path === '') return dir
  for (const name of path.split('/')) {
    const row = await rows.at(dir.key!, name)
    if (row?.entry.kind !== 'dir') break
    dir = DirRef.ofRow(row, dir.pathOf(name), row.fingerprint.ino)
  }
  return dir
}
