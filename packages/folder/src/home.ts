import { dirname } from 'node:path'
import { RESERVED_NAME, utf8Encode } from '@tidemark/protocol'
import { errnoOf } from './adapters/node-file-system.js'
import { mustBeSystemError } from './apply/disk.js'
import { relativeTo } from './apply/effects.js'
import { refusedByDisk } from './apply/problems.js'
import type { FileSystem } from './ports/file-system.js'
import type { Problem } from './rows.js'

/** The tool's own directory in a bound folder. All paths are absolute. */
export interface Home {
  readonly path: string
  readonly staging: string
  readonly trash: string
  readonly lock: string
  readonly marker: string
}

export function homeOf(directory: string): Home {
  const path = `${directory}/${RESERVED_NAME}`
  return {
    path,
    staging: `${path}/staging`,
    trash: `${path}/trash`,
    lock: `${path}/lock`,
    marker: `${path}/marker.json`,
  }
}

/** Makes the directories that are missing. @throws system errors. */
export function prepareHome(files: FileSystem, home: Home): void {
  for (const path of [home.path, home.staging, home.trash]) makeIfMissing(files, path)
}

/**
 * The same in a folder that is bound: whoever needs room may remove the trash at any time.
 *
 * @returns what could not be made, if anything: what others change has to wait for it.
 */
export function mendHome(files: FileSystem, home: Home): Problem[] {
  const problems: Problem[] = []
  for (const path of [home.staging, home.trash]) {
    try {
      makeIfMissing(files, path)
    } catch (error) {
      problems.push(refusedByDisk(relativeTo(dirname(home.path), path), mustBeSystemError(error)))
    }
  }
  return problems
}

function makeIfMissing(files: FileSystem, path: string): void {
  if (files.lstat(path)) return
  try {
    files.mkdir(path, 0o700)
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') throw error
  }
}

/**
 * The binding that this folder was bound by; `undefined`: it says none.
 *
 * @throws system errors: a marker that cannot be read just now is not missing.
 */
export function readMarker(files: FileSystem, home: Home): string | undefined {
  if (files.lstat(home.marker)?.kind !== 'file') return undefined
  const bytes = files.readFile(home.marker)
  try {
    const value: unknown = JSON.parse(new TextDecoder().decode(bytes))
    const has = typeof value === 'object' && value !== null && 'binding' in value
    return has && typeof value.binding === 'string' ? value.binding : undefined
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}

/** Replaced in one step: a crash leaves the old marker or the new one. */
export function writeMarker(files: FileSystem, home: Home, binding: string): void {
  const draft = `${home.marker}.new`
  if (files.lstat(draft)) files.unlink(draft)
  files.writeNew(draft, utf8Encode(`${JSON.stringify({ binding })}\n`), { mode: 0o600 })
  files.fsync(draft)
  files.rename(draft, home.marker)
  files.fsync(home.path)
}
