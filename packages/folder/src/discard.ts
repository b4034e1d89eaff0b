import { dirname } from 'node:path'
import { lstatBelow, mustBeSystemError } from './apply/disk.js'
import { makeDurable } from './apply/durable.js'
import { Trash } from './apply/trash.js'
import type { PushContext } from './local/push-context.js'
import type { Problem } from './rows.js'

/**
 * Moves what a person throws away to the trash, durably.
 *
 * @param paths Relative; those above others first.
 * @param trashDirectory Absolute.
 * @returns one problem for each thing that the disk does not let be moved: it stays.
 */
export async function discard(
  { files, directory, clock, onEvent }: PushContext,
  paths: readonly string[],
  trashDirectory: string,
): Promise<readonly Problem[]> {
  const trash = new Trash(files, trashDirectory, () => clock.nowMs())
  const problems: Problem[] = []
  const changed = new Set<string>()
  for (const path of paths) {
    try {
      // It may have gone with its directory; and what a link in its place leads to is none of this folder's.
      if (!lstatBelow(files, directory, path)) continue
      const place = trash.placeFor(path)
      files.rename(`${directory}/${path}`, place)
      changed.add(dirname(`${directory}/${path}`)).add(dirname(place))
      onEvent({ type: 'applied', path, detail: `reverted; the local version is now ${place}` })
    } catch (error) {
      const problem = cannotRevert(path, mustBeSystemError(error))
      problems.push(problem)
      onEvent({ type: 'problem', path, detail: `${problem.cause}: ${problem.detail}` })
    }
  }
  await makeDurable(files, [...changed], directory)
  return problems
}

export const cannotRevert = (path: string, errno: string): Problem => ({
  path,
  cause: 'cannot-revert',
  detail: `the file system does not let it be looked at, or moved to the trash: ${errno}`,
  fix: 'check permissions, then revert again',
})
