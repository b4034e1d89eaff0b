import { errnoOf } from '../adapters/node-file-system.js'
import type { FileStat, FileSystem } from '../ports/file-system.js'
import { IGNORE_FILE, type IgnoreRules } from './ignore-rules.js'

/** Says whether a directory's rules are those that were read. @param stat Of its file of rules, if there is one. */
export const rulesStamp = (stat: FileStat | undefined): string =>
  stat ? [stat.kind, stat.ino, stat.size, stat.mtimeNs, stat.ctimeNs].join(' ') : ''

/**
 * The first directory above this one whose rules on the disk are not those that were read: somebody may have
 * written them before what stands below, and the pass came to that first.
 *
 * @param root Absolute path of the bound directory. @param path Relative.
 */
export function staleRulesAbove(
  files: FileSystem,
  rules: IgnoreRules,
  root: string,
  path: string,
): string | undefined {
  for (let end = path === '' ? -1 : 0; end !== -1; end = path.indexOf('/', end + 1)) {
    const above = path.slice(0, end)
    // Of what is hidden the rules are not read.
    if (above !== '' && rules.isIgnored(above, true)) return undefined
    const stamp = stampAt(files, above === '' ? root : `${root}/${above}`)
    if (stamp === undefined || rules.stampOf(above) !== stamp) return above
  }
  return undefined
}

/** @returns `undefined`: it cannot be looked at, and may be another one. */
function stampAt(files: FileSystem, directory: string): string | undefined {
  try {
    return rulesStamp(files.lstat(`${directory}/${IGNORE_FILE}`))
  } catch (error) {
    if (errnoOf(error) === undefined) throw error
    return undefined
  }
}
