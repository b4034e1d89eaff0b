import type { FolderDevice } from './folder-device.js'
import { toScriptPath } from './names.js'
import type { SimRandom } from './random.js'
import { isFile, RULES_FILE } from './shown.js'

/** Few, so that people meet. */
export const NAMES = ['a', 'b', 'c', 'd', 'A', 'x.txt', 'y.txt']
/** With one that leaves no room for a tag: 248 bytes. */
export const LONG_NAMES = NAMES.map((name) => (name === 'd' ? `long${'é'.repeat(120)}.txt` : name))

/** What a person sees on a disk at one moment, as paths that a script can say. */
export class Eyes {
  readonly #tree: readonly (readonly [path: string, text: string])[]
  /** The file that the program was about when it died: what is done to it now, it must find out later. */
  readonly #near: string | undefined

  constructor(
    device: FolderDevice,
    private readonly random: SimRandom,
    private readonly names: readonly string[],
  ) {
    const tree = Object.entries(device.tree()).filter(([path]) => !path.endsWith(RULES_FILE))
    const namesIn = (directory: string): string[] => {
      const prefix = directory === '' ? '' : `${directory}/`
      return tree.flatMap(([path]) => {
        const name = path.slice(prefix.length)
        return path.startsWith(prefix) && name !== '' && !name.includes('/') ? [name] : []
      })
    }
    this.#tree = tree.map(([path, text]) => [toScriptPath(path, namesIn), text])
    const last = device.isRunning ? undefined : tree.findIndex(([path]) => path === device.amid.lastPath)
    const near = this.#tree[last ?? -1]
    this.#near = near && isFile(near[1]) ? near[0] : undefined
  }

  file(): string | undefined {
    if (this.#near !== undefined && this.random.chance(2)) return this.#near
    return this.#pick((text) => isFile(text))
  }

  directory(): string | undefined {
    return this.#pick((text) => text === '/')
  }

  /** A conflict copy, or a file that lost its name to another. */
  copy(): string | undefined {
    return this.#pick((text, path) => isFile(text) && /#\d+$/.test(path))
  }

  /** Where there may be nothing. */
  fresh(): string {
    const name = this.random.pick(this.names)!
    const directory = this.random.chance(2) ? this.directory() : undefined
    return directory === undefined ? name : `${directory}/${name}`
  }

  #pick(fits: (text: string, path: string) => boolean): string | undefined {
    return this.random.pick(this.#tree.filter(([path, text]) => fits(text, path)))?.[0]
  }
}
