import { existsSync, realpathSync, statSync } from 'node:fs'
import { isAbsolute, relative, sep } from 'node:path'
import type { Replica, ReplicaOptions, Space } from '@tidemark/engine'
import { makeDirectories } from '@tidemark/engine/node'
import { bindFolder, type FolderBinding, type FolderOptions } from '@tidemark/folder'
import { parseSpaceName, RESERVED_NAME } from '@tidemark/protocol'
import { webSocketTransport } from '@tidemark/transport-ws'
import { UsageError } from './args.js'
import { openState } from './open-state.js'
import { bindSettings, readSettings } from './settings.js'
import { realPath, type StatePaths } from './state-paths.js'

export interface BoundFolderOptions {
  readonly paths: StatePaths
  readonly directory: string
  readonly hub: string
  readonly space: string
  readonly token: string | undefined
  readonly folder: FolderOptions
  /** How its bytes travel. */
  readonly transfers: Pick<ReplicaOptions, 'limits' | 'compression'>
}

/** A folder that is kept the same as a space of a hub, until closed. */
export interface BoundFolder extends AsyncDisposable {
  readonly binding: FolderBinding
  readonly space: Space
  readonly replica: Replica
  /** Resolves when everything is durable and released. Idempotent. */
  close(): Promise<void>
}

/**
 * Opens the database, dials the hub and binds the folder, in this order, because the lock of the
 * database keeps a second process away from everything else.
 *
 * @throws {UsageError} an option has no such value; {Error} bound to something else, or the folder is missing; {DatabaseError} LOCKED: another
 *   process has this state open.
 */
export async function openBoundFolder(options: BoundFolderOptions): Promise<BoundFolder> {
  const { paths, space: name, hub, token } = options
  const spaceName = asOption('space', () => parseSpaceName(name))
  const transport = asOption('hub', () => webSocketTransport(hub))
  if (!paths.inFolder) refuseStateInFolder(options.directory, paths.state)
  const directory = existingDirectory(options.directory, paths.state)
  bindSettings(paths.state, { folder: paths.inFolder ? null : directory, hub, space: spaceName })
  const opened: { close(): Promise<void> }[] = []
  let closing: Promise<void> | undefined
  const close = (): Promise<void> => {
    closing ??= closeAll(opened)
    return closing
  }
  try {
    const replica = await openState(paths.state, options.transfers)
    opened.push(replica)
    opened.push(replica.connect(transport, token === undefined ? {} : { token }))
    const space = await replica.openSpace(spaceName, { bound: true })
    opened.push(space)
    const binding = await bindFolder(space.binding, directory, options.folder)
    opened.push(binding)
    return { binding, space, replica, close, [Symbol.asyncDispose]: close }
  } catch (error) {
    await close().catch(() => undefined)
    throw error
  }
}

/** @throws {UsageError} what the value of an option is refused with, with the option's name. */
function asOption<T>(name: string, parse: () => T): T {
  try {
    return parse()
  } catch (error) {
    throw new UsageError(`--${name}: ${(error as Error).message}`)
  }
}

/** Elsewhere in the folder the database would be synced like any file, and change with every change. */
function refuseStateInFolder(directory: string, state: string): void {
  const below = relative(realPath(directory), realPath(state))
  const [first] = below.split(sep)
  const isBelow = first !== '..' && !isAbsolute(below)
  if (isBelow && first !== RESERVED_NAME) {
    throw new UsageError(`--state ${state} is in the folder that is kept in sync: name a place outside`)
  }
}

/** In reverse order of opening. Every one is closed, whatever another throws. */
async function closeAll(opened: readonly { close(): Promise<void> }[]): Promise<void> {
  const failures: unknown[] = []
  for (const resource of [...opened].reverse()) {
    try {
      await resource.close()
    } catch (error) {
      failures.push(error)
    }
  }
  if (failures.length > 0) throw failures[0]
}

/**
 * Created only for a new binding: a folder that was bound and is gone may be a disk that is not
 * mounted, and an empty one in its place would look like "everything was deleted".
 */
function existingDirectory(directory: string, state: string): string {
  if (!existsSync(directory)) {
    if (readSettings(state) !== undefined) {
      throw new Error(`${directory} is missing: is its disk mounted? Nothing was changed`)
    }
    makeDirectories(directory)
  }
  if (!statSync(directory).isDirectory()) throw new Error(`${directory} is not a directory`)
  return realpathSync(directory)
}
