import { MemoryKeyValueStore, openReplica, type Replica } from '@tidemark/engine'
import { bindFolder, type FileSystem, type FolderBinding, type FolderPlatform } from '@tidemark/folder'
import { SimulatedDisk } from '@tidemark/folder/testing'
import { hasher } from './hasher.js'
import type { SimHub } from './hub.js'
import type { SimRandom } from './random.js'
import type { VirtualTime } from './virtual-time.js'
import { simulatedWatcher } from './watcher.js'

export const ROOT = '/home'

/** A program on a device: what it does after its end is nobody's business. */
interface Life {
  isAlive: boolean
  replica?: Replica
  binding?: FolderBinding
}

export interface DeviceParts {
  readonly hub: SimHub
  readonly time: VirtualTime
  readonly random: SimRandom
  /** What the program asks to be made durable is not. */
  readonly isLying: boolean
}

/** A disk with a folder on it, and a program that keeps it in sync. */
export class Device {
  readonly disk: SimulatedDisk
  readonly decisions: string[] = []
  #store = new MemoryKeyValueStore({ crashable: true })
  #backup: MemoryKeyValueStore | undefined
  #life: Life = { isAlive: false }
  #ids = 0

  constructor(
    readonly name: string,
    private readonly parts: DeviceParts,
  ) {
    this.disk = new SimulatedDisk({ clock: parts.time })
    this.disk.mkdir(ROOT)
  }

  get binding(): FolderBinding | undefined {
    return this.#life.binding
  }

  async start(): Promise<void> {
    const life: Life = { isAlive: true }
    this.#life = life
    const timers = {
      monotonicMs: () => this.parts.time.monotonicMs(),
      after: (ms: number, fn: () => void) => this.parts.time.after(ms, () => life.isAlive && fn()),
    }
    const replica = await openReplica({
      storage: this.#store,
      platform: {
        clock: this.parts.time,
        timers,
        random: { bytes: this.parts.random.bytes },
        hasher,
        blobClient: () => {
          throw new TypeError('each link has its own')
        },
      },
    })
    life.replica = replica
    replica.connect(this.parts.hub.transport(this.name), { blobClient: this.parts.hub.blobs.client })
    const space = await replica.openSpace('default', { bound: true })
    const platform: FolderPlatform = {
      files: whileAlive(this.disk, life, this.parts.isLying),
      openWatcher: simulatedWatcher(this.disk, this.parts.time, this.parts.random, () => life.isAlive),
      clock: this.parts.time,
      timers,
      lock: () => () => undefined,
      realDirectory: (path) => path,
      newId: () => `${this.name}-${this.#ids++}`,
    }
    const onEvent = ({ type, path, detail }: { type: string; path: string; detail: string }) => {
      if (life.isAlive)
        this.decisions.push(`${this.parts.time.monotonicMs()} ${this.name} ${type} ${path}: ${detail}`)
    }
    life.binding = await bindFolder(space.binding, ROOT, { onEvent }, platform)
  }

  /** SIGKILL: the system keeps what the program gave to it. */
  async kill(): Promise<void> {
    await this.#end()
    this.#store = this.#store.crash(this.#store.unsyncedBatches)
    this.disk.endPrograms()
  }

  /** The power goes: what nobody made durable may be gone. */
  async powerCut(): Promise<void> {
    await this.#end()
    this.#store = this.#store.crash(this.parts.random.below(this.#store.unsyncedBatches + 1))
    this.disk.powerCut(this.parts.random)
  }

  /** Remembers the database as it is now. */
  backUp(): void {
    this.#backup = this.#store.backup()
  }

  /** The program ends, and the next one finds the database of the backup. @returns whether there was one. */
  async rollBack(): Promise<boolean> {
    if (!this.#backup) return false
    await this.kill()
    this.#store = this.#backup.backup()
    return true
  }

  async #end(): Promise<void> {
    const life = this.#life
    life.isAlive = false
    await this.parts.hub.forget(this.name)
  }

  /** Path → text, `→ target` or `/`, of all that a user sees. */
  tree(): Record<string, string> {
    return treeBelow(this.disk, ROOT, '')
  }

  /** Texts that are anywhere on the disk, trash and staging too. */
  texts(): Set<string> {
    return new Set(Object.values(treeBelow(this.disk, '', '')))
  }
}

class EndedError extends Error {
  override readonly name = 'EndedError'
}

function whileAlive(disk: SimulatedDisk, life: Life, isLying: boolean): FileSystem {
  return new Proxy(disk, {
    get(target, property) {
      const value: unknown = Reflect.get(target, property)
      if (typeof value !== 'function') return value
      return (...args: unknown[]): unknown => {
        if (!life.isAlive) throw new EndedError(String(property))
        if (isLying && property === 'fsync') return undefined
        if (isLying && property === 'syncAll') return Promise.resolve()
        return value.apply(target, args)
      }
    },
  })
}

function treeBelow(files: FileSystem, root: string, below: string): Record<string, string> {
  const tree: Record<string, string> = {}
  for (const name of files.readdir(`${root}/${below}`).map(String).sort()) {
    const path = below === '' ? name : `${below}/${name}`
    if (root !== '' && path === '.tidemark') continue
    const { kind } = files.lstat(`${root}/${path}`)!
    if (kind === 'dir') Object.assign(tree, { [path]: '/' }, treeBelow(files, root, path))
    else if (kind === 'symlink') tree[path] = `→ ${Buffer.from(files.readlink(`${root}/${path}`))}`
    else tree[path] = Buffer.from(files.readFile(`${root}/${path}`)).toString()
  }
  return tree
}
