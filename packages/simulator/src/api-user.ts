import type { Space, Version, WriteOptions } from '@tidemark/engine'
import type { ApiDevice } from './api-device.js'
import { brief, type Ledger } from './ledger.js'
import type { Life } from './life.js'
import { keyOf, SMALL_BYTES } from './shown.js'

interface Call {
  readonly space: Space
  readonly life: Life
  readonly path: string
  readonly second: string | undefined
}

type Verb = (call: Call) => Promise<string>

/** A program that uses the verbs of a space. What it does ends later: see `report`. */
export class ApiUser {
  readonly #verbs: Readonly<Record<string, Verb>>

  constructor(
    private readonly device: ApiDevice,
    private readonly ledger: Ledger,
    private readonly report: (line: string) => void,
    /** Bytes were read that nobody wrote. */
    private readonly onStrange: (where: string, text: string) => void,
  ) {
    this.#verbs = {
      create: (call) => this.#create(call),
      edit: (call) => this.#edit(call),
      mkdir: async ({ space, path }) => (await space.mkdir(path)).kind,
      rename: (call) => this.#rename(call),
      remove: (call) => this.#remove(call),
      read: (call) => this.#read(call),
    }
  }

  knows(verb: string): boolean {
    return this.#verbs[verb] !== undefined
  }

  act(verb: string, [path = '', second]: readonly string[]): string {
    if (!this.device.isRunning) return 'refused: it does not run'
    const line = `${this.device.name} ${verb} ${path}`
    this.device.begin(
      (space, life) => this.#verbs[verb]!({ space, life, path, second }),
      (outcome) => this.report(`${line} ended: ${outcome}`),
    )
    return 'begun'
  }

  async #create(call: Call): Promise<string> {
    if (await call.space.stat(call.path)) return 'refused: taken'
    return this.#write(call, {})
  }

  async #edit(call: Call): Promise<string> {
    const { space, path } = call
    const basedOn = (await space.stat(path))?.version
    if (!basedOn || basedOn.target !== undefined) return 'refused: no file'
    const before = await this.#textOf(space, path)
    this.ledger.gaveUp(before)
    return `${brief(before)} -> ${await this.#write(call, { basedOn })}`
  }

  async #write({ space, life, path, second = '0' }: Call, options: WriteOptions): Promise<string> {
    const text = this.ledger.text(this.device.name, Number(second))
    this.ledger.known.add(text)
    const { version } = await space.write(path, text, options)
    // What is shown there may be the version of another, and this one beside it.
    const isShown = text.length <= SMALL_BYTES || (await this.#textOf(space, path)) === text
    if (text.length > SMALL_BYTES && isShown) this.device.wrote(text, version!.root)
    // Only what was acknowledged to a program that still runs must be kept.
    if (life.isAlive && isShown) this.ledger.wrote(text)
    return brief(text)
  }

  async #rename({ space, path, second = '' }: Call): Promise<string> {
    const entry = await space.stat(path)
    if (entry?.version) this.ledger.movedKey(keyOf(entry.version))
    return (await space.move(path, second)).name
  }

  async #remove({ space, path }: Call): Promise<string> {
    if (!(await space.stat(path))) return 'refused: nothing is there'
    const texts = await this.#textsUntilRemoved(space, path)
    for (const text of texts) this.ledger.gaveUp(text)
    // What came there in the last moment goes too: it removes what is shown then.
    for (const version of (await this.#versionsAt(space, path)).values())
      this.ledger.givenUpKeys.add(keyOf(version))
    await space.remove(path, { recursive: true })
    return `${texts.map(brief).join(', ')} gone`
  }

  /** It may take long to get the bytes, and what others wrote or made meanwhile is removed with the rest. */
  async #textsUntilRemoved(space: Space, path: string): Promise<string[]> {
    for (;;) {
      const texts: string[] = []
      const before = await this.#versionsAt(space, path)
      for (const each of before.keys()) texts.push(await this.#textOf(space, each))
      const after = await this.#versionsAt(space, path)
      if ([...after].every(([each, { root }]) => before.get(each)?.root === root)) return texts
    }
  }

  /** Of the file at a path, or of all below. */
  async #versionsAt(space: Space, path: string): Promise<ReadonlyMap<string, Version>> {
    const entry = await space.stat(path)
    const versions = new Map<string, Version>()
    const add = (at: string, { kind, version }: NonNullable<typeof entry>): void => {
      if (kind === 'file' && version) versions.set(at, version)
    }
    if (entry) add(path, entry)
    if (entry?.kind === 'dir') for await (const below of space.walk(path)) add(below.path, below.entry)
    return versions
  }

  /** What is read is what somebody wrote. */
  async #read({ space, path }: Call): Promise<string> {
    const text = await this.#textOf(space, path)
    if (!this.ledger.known.has(text)) this.onStrange(`${this.device.name} read at ${path}`, text)
    return brief(text)
  }

  async #textOf(space: Space, path: string): Promise<string> {
    return Buffer.from(await space.readFile(path)).toString()
  }
}
