import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { SpaceBinding } from '@tidemark/engine'
import { nodeFileSystem } from '../../adapters/node-file-system.js'
import type { ApplyContext } from '../../apply-context.js'
import { RefusedFiles } from '../../local/refused.js'
import type { FileSystem } from '../../ports/file-system.js'
import { RowsStore } from '../../rows-store.js'
import { type DiskTree, textsBelow, userTree } from '../../testing/disk-tree.js'
import { FakeSpace, type Thing } from './fake-space.js'
import { rulesThatHide } from './rules.js'

export function treeOf(things: readonly Thing[]): DiskTree {
  const byId = new Map(things.filter(({ isCopy }) => !isCopy).map((thing) => [thing.id, thing]))
  const pathOf = (thing: Thing): string => {
    const above = byId.get(thing.in)
    return above ? `${pathOf(above)}/${thing.name}` : thing.name
  }
  const tree: DiskTree = {}
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
  isSent = true

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
      rules: rulesThatHide((path) => this.ignored(path)),
      refused: new RefusedFiles(),
      abandoned: new Set<string>(),
      isConnected: () => true,
      isSent: () => this.isSent,
      isReadOnly: () => false,
    }
  }

  path(...names: string[]): string {
    return join(this.directory, ...names)
  }

  disk(): DiskTree {
    return userTree(nodeFileSystem, this.directory)
  }

  /** Bytes that are anywhere, trash and staging included. */
  bytes(): Set<string> {
    return textsBelow(nodeFileSystem, this.directory)
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
    bootId: () => files.bootId(),
    umask: () => files.umask(),
    room: tell('room', files.room),
  }
}
