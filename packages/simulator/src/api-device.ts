import type { Replica, Space } from '@tidemark/engine'
import type { BlobId, BlobStore, SpaceName } from '@tidemark/protocol'
import { MemoryBlobStore } from '@tidemark/protocol/memory'
import { Device, type DeviceParts } from './device.js'
import { hasher } from './hasher.js'
import type { Life } from './life.js'
import { contentKey, EXECUTABLE, isPrivate, keyOf, type Shown, sortedByPath } from './shown.js'
import { SPACE } from './space.js'

/** A device without a folder: its programs use the verbs of the space. */
export class ApiDevice extends Device {
  readonly #blobs: BlobStore
  #space: Space | undefined
  #life: Life | undefined
  #isEqual = false
  /** The bytes of what was written are at the hub too; counted, because an older answer says nothing. */
  #isSettled = false
  #settlings = 0
  /** Of what its programs wrote that is large, by text. */
  readonly #roots = new Map<string, string>()
  /** What the program waits for: the end of each verb that it called. */
  readonly #underWay = new Set<Promise<void>>()
  #last: Promise<void> = Promise.resolve()

  constructor(name: string, parts: DeviceParts) {
    super(name, parts)
    this.#blobs =
      parts.adapters.stores.get(name)?.store ??
      new MemoryBlobStore({ sha256: hasher.sha256, now: () => parts.time.nowMs() })
  }

  protected override get blobs(): BlobStore {
    return this.#blobs
  }

  protected override async run(replica: Replica, life: Life): Promise<void> {
    const space = await replica.openSpace(SPACE)
    this.#life = life
    this.#space = space
    this.#isEqual = false
    this.#underWay.clear()
    this.#last = Promise.resolve()
    // A program has what it wrote from elsewhere.
    space.refused$.subscribe(({ versions }) => {
      for (const { root, size } of versions) this.parts.onRefused(keyOf({ root, size }))
    })
    space.status$.subscribe(({ connected, equal }) => {
      if (!life.isAlive) return
      this.#isEqual = connected && equal
      this.#settle(space, life)
    })
  }

  /**
   * Something that the program does when it has done what it was told before; how it ends is told to `report`, unless the program ended
   * meanwhile.
   */
  begin(act: (space: Space, life: Life) => Promise<string>, report: (outcome: string) => void): void {
    const [space, life] = [this.#space, this.#life]
    if (!space || !life) return
    const told = (outcome: string): void => {
      if (life.isAlive) report(outcome)
    }
    const done: Promise<void> = this.#last
      .then(() => (life.isAlive ? act(space, life) : 'nothing'))
      .then(told, (error: Error) => told(`refused: ${error.message}`))
      .finally(() => {
        this.#underWay.delete(done)
        this.#settle(space, life)
      })
    this.#underWay.add(done)
    this.#last = done
  }

  #settle(space: Space, life: Life): void {
    const settling = ++this.#settlings
    this.#isSettled = false
    space.settled().then(
      () => {
        if (life.isAlive && settling === this.#settlings) this.#isSettled = true
      },
      // It ends with the program.
      () => undefined,
    )
  }

  override isIdle(): boolean {
    return this.isRunning && this.#isEqual && this.#isSettled && this.#underWay.size === 0
  }

  override explain(): string {
    return `equal: ${this.#isEqual}, settled: ${this.#isSettled}, verbs under way: ${this.#underWay.size}`
  }

  override async shown(): Promise<Shown> {
    const shown: Record<string, string> = {}
    if (!this.#space) return shown
    for await (const { path, entry } of this.#space.walk()) {
      const { kind, version, executable } = entry
      // Folders do not show it: rules may hide it there, and not here.
      if (isPrivate(path)) continue
      if (kind === 'dir') shown[path] = '/'
      else if (kind === 'symlink') shown[path] = `→ ${version?.target}`
      else if (version) {
        shown[path] = keyOf(version) + (executable ? EXECUTABLE : '')
      }
    }
    return sortedByPath(shown)
  }

  /** A program has written something large, as a file of this root. */
  wrote(text: string, root: string): void {
    this.#roots.set(text, root)
  }

  /** The root of a file is a blob of its own: the hash of a small text, the last that is stored of a large one. */
  override async holds(texts: readonly string[]): Promise<readonly string[]> {
    const held: string[] = []
    for (const text of texts) {
      const root = this.#roots.get(text) ?? contentKey(text)
      if ((await this.#blobs.stat(SPACE as SpaceName, root as BlobId)) !== undefined) held.push(text)
    }
    return held
  }
}
