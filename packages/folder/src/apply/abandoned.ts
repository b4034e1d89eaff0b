import type { ApplyContext } from '../apply-context.js'

/**
 * Removes content in staging that nobody needs.
 *
 * @param path Absolute.
 * @throws system errors: it stays among what is abandoned.
 */
export function removeAbandoned({ abandoned, files }: ApplyContext, path: string): void {
  abandoned.add(path)
  if (files.lstat(path)) files.unlink(path)
  abandoned.delete(path)
}
