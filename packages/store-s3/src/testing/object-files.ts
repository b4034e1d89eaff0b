import { createHash, randomBytes } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

export interface StoredObject {
  readonly key: string
  /** Bytes. */
  readonly length: number
  /** With its quotes. */
  readonly etag: string
  /** Base64, as the uploader gave it. */
  readonly checksum: string | undefined
  /** Milliseconds since 1970. */
  readonly modifiedMs: number
}

/**
 * Objects of one bucket on disk: `<sha256 of the key>.bytes` and `.json` each. Opened again, it shows the same.
 * What changes the directory is synchronous, so that a condition and what follows from it are one step.
 */
export class ObjectFiles {
  readonly #objects = new Map<string, StoredObject>()

  constructor(private readonly directory: string) {
    mkdirSync(directory, { recursive: true })
    for (const name of readdirSync(directory)) {
      const path = join(directory, name)
      if (name.endsWith('.incoming')) rmSync(path)
      if (!name.endsWith('.json')) continue
      const object = JSON.parse(readFileSync(path, 'utf8')) as StoredObject
      this.#objects.set(object.key, object)
    }
  }

  get(key: string): StoredObject | undefined {
    return this.#objects.get(key)
  }

  /** Ascending. */
  keys(): readonly string[] {
    return [...this.#objects.keys()].sort()
  }

  /** Where a body may be written to before it has a name. */
  incoming(): string {
    return join(this.directory, `${randomBytes(8).toString('hex')}.incoming`)
  }

  /** Moves a written body to its name, over what is there. */
  commit(incoming: string, object: StoredObject): void {
    renameSync(incoming, this.bytesPath(object.key))
    writeFileSync(this.#path(object.key, 'json'), JSON.stringify(object))
    this.#objects.set(object.key, object)
  }

  remove(key: string): boolean {
    if (!this.#objects.delete(key)) return false
    rmSync(this.#path(key, 'json'))
    rmSync(this.bytesPath(key))
    return true
  }

  bytesPath(key: string): string {
    return this.#path(key, 'bytes')
  }

  #path(key: string, ending: string): string {
    return join(this.directory, `${createHash('sha256').update(key).digest('hex')}.${ending}`)
  }
}
