import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { SpaceBinding } from '@tidemark/engine'
import { nodeFileSystem } from '../../adapters/node-file-system.js'
import type { ApplyContext } from '../../apply-context.js'
import type { FileSystem } from '../../ports/file-system.js'
import { RowsStore } from '../../rows-store.js'
import { FakeSpace, type Thing } from './fake-space.js'

/** Text of a file, `->target` of a symlink, `/` for a directory, by relative path; ours left out. */
export type DiskTree = Readonly<Record<string, string>>

export function readDisk(directory: string, below = ''): Record<string, string> {
  const tree: Record<string, string> = {}
  for (const name of fs.readdirSync(join(directory, below)).sort()) {
    if (below === '' && name === '.tidemark') continue
    const path = below === '' ? name : `${below}/${name}`
    const stat = fs.lstatSync(join(directory, path))
    if (stat.isDirectory()) Object.assign(tree, { [path]: '/' }, readDisk(directory, path))
    else if (stat.isSymbolicLink()) tree[path] = `->${fs.readlinkSync(join(directory, path))}`
    else tree[path] = fs.readFileSync(join(directory, path), 'utf8')
  }
  return tree
}

/** All bytes anywhere below the folder, trash and staging included. */
export function allBytes(directory: string): Set<string> {
  const found = new Set<string>()
  for (const name of fs.readdirSync(directory)) {
    const path = join(directory, name)
    const stat = fs.lstatSync(path)
    if (stat.isDirectory()) for (const text of allBytes(path)) found.add(text)
    else if (stat.isFile()) found.add(fs.readFileSync(path, 'utf8'))
  }
  return found
}

export function treeOf(things: readonly Thing[]): Record<string, string> {
  const byId = new Map(things.filter(({ isCopy }) => !isCopy).map((thing) => [thing.id, thing]))
  const pathOf = (thing: Thing): string => {
    const above = byId.get(thing.in)
    return above ? `${pathOf(above)}/${thing.name}` : thing.name
  }
  const tree: Record<string, string> = {}
  for (const thing of things) {
    tree[pathOf(thing)] = thing.bytes ?? (thing.target === undefined ? '/' : `->${thing.target}`)
  }
  return tree
}

export class World {
  readonly directory = fs.mkdtempSync(join(tmpdir(), 'tidemark-apply-'))
  readonly space = new FakeSpace()
  readonly events: string[] = []
  nowMs = Date.now()
  ignored: (path: string) => boolean = () => false

  constructor() {
    for (const name of ['staging', 'trash'])
      fs.mkdirSync(join(this.directory, '.tidemark', name), { recursive: true })
  }

  ctx(files: FileSystem = nodeFileSystem): ApplyContext {
    return {
      // The parts of a binding that applying uses.
      space: this.space as unknown as SpaceBinding,
      rows: new RowsStore(this.space.kv),
      files,
      clock: { nowMs: () => this.nowMs },
      directory: this.directory,
      staging: join(this.directory, '.tidemark', 'staging'),
      trash: join(this.directory, '.tidemark', 'trash'),
      onEvent: ({ path, detail }) => this.events.push(`${detail} ${path}`),
      expectHints: () => {},
      isIgnored: (path) => this.ignored(path),
      isConnected: () => true,
    }
  }

  path(...names: string[]): string {
    return join(this.directory, ...names)
  }

  disk(): Record<string, string> {
    return readDisk(this.directory)
  }

  close(): void {
    fs.rmSync(this.directory, { recursive: true, force: true })
  }
}

export class Crash extends Error {
  override readonly name = 'Crash'
}

/** Durability costs time and cannot be seen without a power cut. */
export const unsyncedFileSystem: FileSystem = { ...nodeFileSystem, fsync: () => {}, syncAll: async () => {} }

/** Calls that change the disk, or look at it: before each one `before` is told. */
export function intercepted(
  files: FileSystem,
  before: (call: keyof FileSystem, paths: readonly string[]) => void,
): FileSystem {
  const tell =
    <A extends unknown[], R>(call: keyof FileSystem, fn: (...args: A) => R) =>
    (...args: A): R => {
      before(
        call,
        args.filter((arg) => typeof arg === 'string'),
      )
      return fn.apply(files, args)
    }
  return {
    lstat: tell('lstat', files.lstat),
    readdir: tell('readdir', files.readdir),
    readlink: tell('readlink', files.readlink),
    readFile: tell('readFile', files.readFile),
    mkdir: tell('mkdir', files.mkdir),
    rmdir: tell('rmdir', files.rmdir),
    rename: tell('rename', files.rename),
    link: tell('link', files.link),
    unlink: tell('unlink', files.unlink),
    symlink: tell('symlink', files.symlink),
    chmod: tell('chmod', files.chmod),
    setMtime: tell('setMtime', files.setMtime),
    writeNew: tell('writeNew', files.writeNew),
    open: tell('open', files.open),
    fsync: tell('fsync', files.fsync),
    syncAll: tell('syncAll', files.syncAll),
    room: tell('room', files.room),
  }
}
