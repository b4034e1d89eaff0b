import { errnoOf } from '../adapters/node-file-system.js'
import type { PushContext } from './push-context.js'
import { isChanging, readProblem } from './read-problems.js'
import type { Retries } from './retries.js'

export interface RefuseOptions {
  readonly context: PushContext
  readonly retries: Retries
  readonly monotonicMs: () => number
}

/**
 * What stands at a path could not be read, stored or looked at: a problem by name, tried again later.
 * @throws errors that are not about this one file.
 */
export function refuse(path: string, error: unknown, { context, retries, monotonicMs }: RefuseOptions): void {
  const errno = errnoOf(error)
  // Gone by now: the hint of its removal is on its way.
  if (errno === 'ENOENT' || errno === 'ENOTDIR') return
  const problem = readProblem(path, error)
  if (!problem) throw error
  const isFirst = retries.failed(path, monotonicMs(), isChanging(error))
  // One collision with a writer is normal, and no news.
  if (isChanging(error) && isFirst) return
  if (!context.problems.has(path, problem.cause)) {
    context.onEvent({ type: 'problem', path, detail: `${problem.cause}: ${problem.detail}` })
  }
  context.problems.set(path, [problem])
}
