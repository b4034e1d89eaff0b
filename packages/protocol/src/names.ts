import { utf8Length } from './bytes.js'
import { PathError } from './errors.js'
import { NAME_BYTES_MAX } from './limits.js'

/** The tool's own directory: never an entry at the root of a space. */
export const RESERVED_NAME = '.tidemark'

const LONE_SURROGATE = /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/

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
