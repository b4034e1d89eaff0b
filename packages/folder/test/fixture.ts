import { randomUUID } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, readlinkSync, realpathSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  MemoryKeyValueStore,
  openReplica,
  type Refuse,
  type Replica,
  type Space,
  type SpaceBinding,
  type ViewEntry,
} from '@tidemark/engine'
import { nodePlatform, systemClock, systemTimers } from '@tidemark/engine/node'
import {
  bindFolder,
  type FileSystem,
  type FolderBinding,
  type FolderEvent,
  type FolderOptions,
  type FolderPlatform,
} from '@tidemark/folder'
import { createHub, type Hub, type HubConfigOptions } from '@tidemark/server-reference'
import { webSocketTransport } from '@tidemark/transport-ws'
import { afterEach } from 'vitest'
import { lockFolder } from '../src/adapters/folder-lock.js'
import { nodeFileSystem } from '../src/adapters/node-file-system.js'
import { nodeWatcher } from '../src/adapters/node-watcher.js'

const closing: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

export function atEnd(close: () => Promise<void> | void): void {
  closing.push(async () => close())
}

export function temporaryDirectory(): string {
  const directory = realpathSync(mkdtempSync(join(tmpdir(), 'tidemark-folder-')))
  atEnd(() => rmSync(directory, { recursive: true, force: true }))
  return directory
}

export interface Bound {
  readonly replica: Replica
  readonly space: Space
  readonly binding: FolderBinding
  readonly directory: string
  readonly storage: MemoryKeyValueStore
  readonly events: FolderEvent[]
  path(relative: string): string
}

export interface BindOptions extends FolderOptions {
  /** Connected to it from the start. */
  readonly hub?: Hub
  readonly token?: string
  readonly directory?: string
  readonly storage?: MemoryKeyValueStore
}

/** A replica bound to a directory. */
export const bind = (options: BindOptions = {}): Promise<Bound> => bindOn({}, options)

export interface Under extends Partial<FolderPlatform> {
  /** What the folder gets for the space's binding. */
  readonly space?: (binding: SpaceBinding) => SpaceBinding
}

/** The same, with other parts below it. */
export async function bindOn(
  { space: wrapped, ...platform }: Under,
  {
    directory = temporaryDirectory(),
    storage = new MemoryKeyValueStore(),
    hub,
    token,
    ...options
  }: BindOptions = {},
): Promise<Bound> {
  const replica = await openReplica({ storage, platform: nodePlatform })
  atEnd(() => replica.close())
  if (hub) replica.connect(webSocketTransport(hub.url), token === undefined ? {} : { token })
  const space = await replica.openSpace('default', { bound: true })
  const events: FolderEvent[] = []
  const onEvent = (event: FolderEvent) => void events.push(event)
  const binding = await bindFolder(
    wrapped?.(space.binding) ?? space.binding,
    directory,
    { onEvent, ...options },
    {
      files: nodeFileSystem,
      openWatcher: nodeWatcher,
      clock: systemClock,
      timers: systemTimers,
      lock: lockFolder,
      realDirectory: realpathSync,
      newId: randomUUID,
      ...platform,
    },
  )
  atEnd(() => binding.close())
  return {
    replica,
    space,
    binding,
    directory,
    storage,
    events,
    path: (relative) => join(directory, relative),
  }
}

/** Path → node of everything that the space shows. */
export async function shown(space: Space): Promise<Map<string, ViewEntry>> {
  const entries = new Map<string, ViewEntry>()
  for await (const { path, entry } of space.walk()) entries.set(path, entry)
  return entries
}

export async function paths(space: Space): Promise<string[]> {
  return [...(await shown(space)).keys()].sort()
}

/** On a free port of 127.0.0.1. */
export async function hub(
  options: Partial<HubConfigOptions> & { readonly refuse?: Refuse } = {},
): Promise<Hub> {
  const running = await createHub({
    dataDirectory: temporaryDirectory(),
    port: 0,
    drainTimeoutMs: 100,
    ...options,
  })
  atEnd(() => running.close())
  return running
}

/** A disk that does not let this file go. */
export const keeping = (name: string): { files: FileSystem; allow(): void } => {
  let isKept = true
  return {
    files: {
      ...nodeFileSystem,
      rename(from, to) {
        if (isKept && from.endsWith(`/${name}`)) throw Object.assign(new Error('EPERM'), { code: 'EPERM' })
        nodeFileSystem.rename(from, to)
      },
    },
    allow: () => {
      isKept = false
    },
  }
}

/**
 * A disk of which the next `left` calls of this kind fail, of those that fit.
 * @param from Part of the name of what calls, anywhere above.
 */
export function failing(
  call: 'lstat' | 'readdir',
  name: string,
  from = '',
): { files: FileSystem; state: { left: number } } {
  const state = { left: 0 }
  const check = (path: string) => {
    if (state.left === 0 || !path.endsWith(`/${name}`) || !new Error().stack!.includes(from)) return
    state.left--
    throw Object.assign(new Error('EIO'), { code: 'EIO' })
  }
  const files: FileSystem = {
    ...nodeFileSystem,
    [call](path: string) {
      check(path)
      return nodeFileSystem[call](path)
    },
  }
  return { files, state }
}

export const READER_AND_WRITER: NonNullable<HubConfigOptions['tokens']> = [
  { token: 'writer', subject: 'writer', spaces: '*', access: 'write' },
  { token: 'reader', subject: 'reader', spaces: '*', access: 'read' },
]

/** A hub, who may write at it, and who may only read. @param under The reader. */
export async function writerAndReader(
  under: Under = {},
): Promise<{ readonly writer: Bound; readonly reader: Bound }> {
  const theHub = await hub({ tokens: READER_AND_WRITER })
  return {
    writer: await bind({ hub: theHub, token: 'writer' }),
    reader: await bindOn(under, { hub: theHub, token: 'reader' }),
  }
}

/** Relative path → text, `→ target` or `/`, of everything on disk but the tool's own directory. */
export function onDisk(directory: string): Record<string, string> {
  const tree: Record<string, string> = {}
  const walk = (at: string): void => {
    for (const entry of readdirSync(join(directory, at), { withFileTypes: true })) {
      const path = at === '' ? entry.name : `${at}/${entry.name}`
      if (path === '.tidemark') continue
      if (entry.isSymbolicLink()) tree[path] = `→ ${readlinkSync(join(directory, path))}`
      else if (entry.isDirectory()) {
        tree[path] = '/'
        walk(path)
      } else tree[path] = readFileSync(join(directory, path), 'utf8')
    }
  }
  walk('')
  return tree
}
