import { utf8Length } from './bytes.js'
import { PathError } from './errors.js'
import { NAME_BYTES_MAX, PATH_DEPTH_MAX } from './limits.js'

/** The tool's own directory: never an entry at the root of a space. */
export const RESERVED_NAME = '.tidemark'

export const LONE_SURROGATE = /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/

/** Why `name` cannot be an entry's name, or `undefined` when it can. */
export function nameDefect(name: string): string | undefined {
  if (name === '') return 'is empty'
  if (name === '.' || name === '..') return 'is . or ..'
  if (name.includes('/')) return 'contains a slash'
  if (name.includes('\0')) return 'contains NUL'
  if (LONE_SURROGATE.test(name)) return 'is not well-formed Unicode'
  if (name.normalize('NFC') !== name) return 'is not NFC'
  if (utf8Length(name) > NAME_BYTES_MAX) return `is longer than ${NAME_BYTES_MAX} bytes`
  return undefined
}

/** @throws {PathError} INVALID_NAME. */
export function checkName(name: string): void {
  const defect = nameDefect(name)
  if (defect !== undefined)
    throw new PathError('INVALID_NAME', name, `name ${JSON.stringify(name)} ${defect}`)
}

declare const relativePath: unique symbol
/** Segments from the root of a space, each a valid name in NFC; `[]` is the root. */
export type RelativePath = readonly string[] & { readonly [relativePath]: true }

/**
 * Segments separated by `/`; other Unicode forms become NFC. The empty text is the root.
 *
 * @throws {PathError} INVALID_NAME: absolute, empty or dotted segments, deeper than PATH_DEPTH_MAX, or
 *   inside the reserved directory.
 */
export function parseRelativePath(text: string): RelativePath {
  if (text === '') return [] as readonly string[] as RelativePath
  const segments = text.split('/').map((segment) => segment.normalize('NFC'))
  if (segments.length > PATH_DEPTH_MAX) {
    throw new PathError('INVALID_NAME', text, `path is deeper than ${PATH_DEPTH_MAX} names`)
  }
  for (const segment of segments) {
    const defect = nameDefect(segment)
    if (defect !== undefined)
      throw new PathError('INVALID_NAME', text, `path ${JSON.stringify(text)}: a name ${defect}`)
  }
  if (segments[0] === RESERVED_NAME) throw new PathError('INVALID_NAME', text, `${RESERVED_NAME} is reserved`)
  return segments as readonly string[] as RelativePath
}
