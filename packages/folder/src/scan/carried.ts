import { nameDefect, PATH_DEPTH_MAX } from '@tidemark/protocol'
import type { FileStat } from '../ports/file-system.js'
import type { Problem } from '../rows.js'
import { IGNORE_FILE } from './ignore-rules.js'

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** A name on disk as text; `undefined`: it is not UTF-8, and other devices could not write it. */
export function decodeName(bytes: Uint8Array): string | undefined {
  try {
    return decoder.decode(bytes)
  } catch {
    return undefined
  }
}

/**
 * Why a space cannot carry what stands at this place; `undefined`: it can.
 *
 * @param path Relative to the bound directory; ends in `name`.
 * @param dev Device of the bound directory.
 */
export function refusalOf(name: string, path: string, stat: FileStat, dev: string): Problem | undefined {
  if (stat.kind === 'special') {
    return {
      path,
      cause: 'special-file',
      detail: 'a fifo, socket or device cannot be synced',
      fix: `move it out of the folder, or name it in ${IGNORE_FILE}`,
    }
  }
  if (stat.dev !== dev) {
    return {
      path,
      cause: 'other-device',
      detail: 'another file system is mounted here; it is not looked into',
      fix: 'bind it as a folder of its own',
    }
  }
  const defect = nameDefect(name.normalize('NFC'))
  if (defect !== undefined) {
    return { path, cause: 'bad-name', detail: `the name ${defect}`, fix: 'rename it' }
  }
  if (path.split('/').length > PATH_DEPTH_MAX) {
    return {
      path,
      cause: 'too-deep',
      detail: `deeper than ${PATH_DEPTH_MAX} directories`,
      fix: 'move it up',
    }
  }
  return undefined
}
