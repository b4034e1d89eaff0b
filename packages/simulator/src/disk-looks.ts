import type { SimulatedDisk } from '@tidemark/folder/testing'
import { contentKey, EXECUTABLE, isFile, isPrivate, type Shown, sortedByPath } from './shown.js'

/** Path → text, `→ target` or `/`. */
export type SeenTree = Readonly<Record<string, string>>

const OWN = '.tidemark'

/** What a disk shows at this moment: made once for each state of it, as many look and little changes. */
export class DiskLooks {
  readonly #tree: Look<SeenTree>
  readonly #trash: Look<ReadonlySet<string>>
  readonly #texts: Look<ReadonlySet<string>>
  readonly #outside: Look<ReadonlySet<string>>
  readonly #shown: Look<Shown>

  /** @param root Absolute, of the bound directory. */
  constructor(disk: SimulatedDisk, root: string) {
    const trash = `${root}/${OWN}/trash`
    this.#tree = new Look(disk, () => treeBelow(disk, root, (path) => path === OWN || isPrivate(path)))
    this.#trash = new Look(
      disk,
      () => new Set(disk.lstat(trash) ? Object.values(treeBelow(disk, trash)) : []),
    )
    this.#texts = new Look(disk, () => new Set(Object.values(treeBelow(disk, '/'))))
    this.#outside = new Look(disk, () => {
      const all = Object.entries(treeBelow(disk, '/'))
      return new Set(all.flatMap(([path, text]) => (`/${path}`.startsWith(`${root}/${OWN}/`) ? [] : text)))
    })
    this.#shown = new Look(disk, () => {
      const keys = Object.entries(this.tree).map(([path, text]) => {
        const mayBeRun = isFile(text) && (disk.lstat(`${root}/${path}`)!.mode & 0o100) !== 0
        return [path, contentKey(text) + (mayBeRun ? EXECUTABLE : '')] as const
      })
      return sortedByPath(Object.fromEntries(keys))
    })
  }

  /** All that a user sees, but for what is private. */
  get tree(): SeenTree {
    return this.#tree.now
  }

  /** Texts that the program took away from what its user sees. */
  get trash(): ReadonlySet<string> {
    return this.#trash.now
  }

  /** Texts (and marks as in a tree) anywhere on the disk. */
  get texts(): ReadonlySet<string> {
    return this.#texts.now
  }

  /** Texts that are anywhere but where the program keeps its own. */
  get outside(): ReadonlySet<string> {
    return this.#outside.now
  }

  get shown(): Shown {
    return this.#shown.now
  }
}

class Look<T> {
  #value: T | undefined
  #changes = -1

  constructor(
    private readonly disk: SimulatedDisk,
    private readonly make: () => T,
  ) {}

  get now(): T {
    const { changes } = this.disk
    if (this.#changes !== changes) this.#value = this.make()
    this.#changes = changes
    return this.#value!
  }
}

/** By the bytes: they never change in place. */
const TEXTS = new WeakMap<Uint8Array, string>()

function textOf(bytes: Uint8Array): string {
  const known = TEXTS.get(bytes)
  if (known !== undefined) return known
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString()
  TEXTS.set(bytes, text)
  return text
}

function treeBelow(
  disk: SimulatedDisk,
  directory: string,
  isPassedOver?: (path: string) => boolean,
): SeenTree {
  const tree: Record<string, string> = {}
  for (const { path, kind, data, target } of disk.below(directory, isPassedOver)) {
    if (kind === 'dir') tree[path] = '/'
    else tree[path] = kind === 'symlink' ? `→ ${target}` : textOf(data)
  }
  return tree
}
