import type { FileSystem, OpenFile } from '@tidemark/folder'

/** A person who does something exactly when a program is about to make one of its calls. */
export class Amid {
  #callsLeft = 0
  #act: ((path: string) => void) | undefined
  #lastPath: string | undefined

  constructor(
    /** What people see is below it, but for what is below `hidden`. */
    private readonly root: string,
    private readonly hidden: string,
  ) {}

  /** @param act Done before the call after so many others, with the path (relative) that the call is about. */
  arm(calls: number, act: (path: string) => void): void {
    this.#callsLeft = calls
    this.#act = act
  }

  /** What the last call was about (relative), if people see it. */
  get lastPath(): string | undefined {
    return this.#lastPath
  }

  disarm(): void {
    this.#act = undefined
  }

  /** The disk, for the program whose calls count: each one about something that people see. */
  over(disk: FileSystem): FileSystem {
    return new Proxy(disk, {
      get: (target, property) => {
        const value: unknown = Reflect.get(target, property)
        if (typeof value !== 'function') return value
        return (...args: unknown[]): unknown => {
          const paths = args.slice(0, 2).filter((arg) => typeof arg === 'string')
          this.#called(paths)
          const result: unknown = value.apply(target, args)
          return property === 'open' ? this.#overFile(result as OpenFile, paths) : result
        }
      },
    })
  }

  /** A large file is read part by part. */
  #overFile(file: OpenFile, paths: readonly string[]): OpenFile {
    const counted =
      <A extends unknown[], R>(call: (...args: A) => R) =>
      (...args: A): R => {
        this.#called(paths)
        return call(...args)
      }
    return { ...file, stat: counted(file.stat), read: counted(file.read) }
  }

  #called(paths: readonly string[]): void {
    const seen = paths.find((each) => this.#isSeen(each))
    if (seen === undefined) return
    const path = seen.slice(this.root.length + 1)
    this.#lastPath = path
    if (!this.#act || this.#callsLeft-- > 0) return
    const act = this.#act
    this.#act = undefined
    act(path)
  }

  #isSeen(path: string): boolean {
    return path.startsWith(`${this.root}/`) && path !== this.hidden && !path.startsWith(`${this.hidden}/`)
  }
}
