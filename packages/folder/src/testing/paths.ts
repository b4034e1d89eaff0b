import { type Inode, systemError } from './inode.js'

const LINKS_FOLLOWED_MAX = 40
const NAME_BYTES_MAX = 255
/** Of one UTF-16 code unit. */
const UTF8_BYTES_MAX = 3

/** A name in a directory, whether or not there is something. */
export interface Place {
  readonly parent: Inode
  readonly name: string
}

/** What absolute paths lead to, as path_resolution(7) has it. */
export class Paths {
  /** Where paths led since a name last changed. */
  readonly #known = new Map<string, Inode>()

  constructor(private readonly root: Inode) {}

  /** Some name changed. */
  forget(): void {
    if (this.#known.size > 0) this.#known.clear()
  }

  /** As lstat: the last component is not followed. */
  find(path: string): Inode | undefined {
    if (path === '/' || path === '') return this.root
    try {
      const { parent, name } = this.place(path, 'lstat')
      return parent.children.get(name)
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code === 'ENOENT' || code === 'ENOTDIR') return undefined
      throw error
    }
  }

  must(path: string, call: string): Inode {
    if (path === '/' || path === '') return this.root
    const { parent, name } = this.place(path, call)
    return this.child(parent, name, call, path)
  }

  child(parent: Inode, name: string, call: string, path: string): Inode {
    const inode = parent.children.get(name)
    if (!inode) throw systemError('ENOENT', call, path)
    return inode
  }

  mustDirectory(path: string, call: string): Inode {
    const inode = this.#resolve(path, call, 0)
    if (inode.kind !== 'dir') throw systemError('ENOTDIR', call, path)
    return inode
  }

  mustFile(path: string, call: string): Inode {
    const inode = this.must(path, call)
    if (inode.kind === 'symlink') throw systemError('ELOOP', call, path)
    if (inode.kind === 'dir') throw systemError('EISDIR', 'read', path)
    return inode
  }

  place(path: string, call: string): Place {
    const slash = path.lastIndexOf('/')
    const name = path.slice(slash + 1)
    if (name.length * UTF8_BYTES_MAX > NAME_BYTES_MAX && Buffer.byteLength(name) > NAME_BYTES_MAX)
      throw systemError('ENAMETOOLONG', call, path)
    const parent = this.#resolve(path.slice(0, slash), call, 0)
    if (parent.kind !== 'dir') throw systemError('ENOTDIR', call, path)
    return { parent, name }
  }

  /** Follows every component, the last one too. */
  #resolve(path: string, call: string, followed: number): Inode {
    const known = this.#known.get(path)
    if (known) return known
    const inode = this.#walk(path, call, followed)
    this.#known.set(path, inode)
    return inode
  }

  #walk(path: string, call: string, followed: number): Inode {
    let at: Inode = this.root
    const above: Inode[] = []
    const names = path.split('/').filter((name) => name !== '' && name !== '.')
    for (let i = 0; i < names.length; i++) {
      const name = names[i]!
      if (at.kind !== 'dir') throw systemError('ENOTDIR', call, path)
      if (name === '..') {
        at = above.pop() ?? this.root
        continue
      }
      const next = at.children.get(name)
      if (!next) throw systemError('ENOENT', call, path)
      if (next.kind !== 'symlink') {
        above.push(at)
        at = next
        continue
      }
      if (followed >= LINKS_FOLLOWED_MAX) throw systemError('ELOOP', call, path)
      const before = next.target.startsWith('/') ? '' : `/${names.slice(0, i).join('/')}/`
      return this.#resolve(`${before}${next.target}/${names.slice(i + 1).join('/')}`, call, followed + 1)
    }
    return at
  }
}

/** Whether `inode` is `directory` or below it. */
export function isInside(inode: Inode, directory: Inode): boolean {
  if (inode === directory) return true
  return [...directory.children.values()].some((child) => child.kind === 'dir' && isInside(inode, child))
}
