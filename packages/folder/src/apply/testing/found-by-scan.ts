import type { ApplyContext } from '../../apply-context.js'
import { rowOps } from '../../rows-store.js'
import { sameFile, untouched } from '../disk.js'
import { stamps } from '../stamps.js'

/**
 * What a scan would take for the user's: files that differ from their row, and names without one. As a
 * scan does, it takes over stamps that changed without the bytes.
 *
 * @param tree Path → `/` for a directory, or something else.
 */
export async function foundByScan(
  { rows, files, directory, space }: ApplyContext,
  tree: Readonly<Record<string, string>>,
): Promise<string[]> {
  const found: string[] = []
  const named = new Set<string>()
  for await (const page of rows.all()) {
    for (const row of page) {
      const path = (await rows.localPathOf(row))!
      named.add(path)
      const stat = files.lstat(`${directory}/${path}`)
      if (!stat) found.push(`- ${path}`)
      else if (stat.kind !== row.entry.kind) found.push(`! ${path}`)
      else if (stat.kind === 'dir' || untouched(stat, row.fingerprint)) continue
      else if (!sameFile(stat, row.fingerprint)) found.push(`~ ${path}`)
      else {
        const after = { ...row, fingerprint: stamps(stat) }
        await space.writeRows(rowOps([{ before: row, after }]), { sync: false })
      }
    }
  }
  for (const [path, text] of Object.entries(tree))
    if (!named.has(path) && text !== '/') found.push(`+ ${path}`)
  return found
}
