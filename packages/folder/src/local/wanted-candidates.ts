import type { ChunkId } from '@tidemark/protocol'
import type { FileStat } from '../ports/file-system.js'
import type { PushContext } from './push-context.js'
import { thingsBelow } from './things-below.js'

/** Wanted contents that one walk through the trash looks for. */
const WALK_CONTENTS = 100_000
/** Looks at the trash between two turns of the event loop. */
const SLICE_LOOKS = 256
/** Roots of files in the trash. */
const REMEMBERED_MAX = 100_000

/** A file that may hold something wanted. */
export interface Candidate {
  readonly absolute: string
  /** Where it stands, or stood, in the folder. */
  readonly path: string
  readonly size: number
  /** Whether this content is wanted of it. */
  takes(root: ChunkId): boolean
}

/** Where what a hub wants may be on this disk: rows say so, and in the trash the size does. */
export class WantedCandidates {
  /** What was read in the trash. */
  readonly #trashed = new Map<string, ChunkId>()

  /** @param trash Absolute path of what was deleted or replaced here. */
  constructor(
    private readonly context: Pick<PushContext, 'rows' | 'space' | 'files' | 'directory'>,
    private readonly trash: string,
  ) {}

  /** `undefined`: one whose row leads nowhere at the moment, as while others' moves wait in staging. */
  async *shown(): AsyncIterable<Candidate | undefined> {
    const { rows, space, directory } = this.context
    for await (const page of rows.all()) {
      const files = page.filter(({ entry }) => entry.kind === 'file' && entry.version)
      const wanted = await space.wanted.among(files.map(({ entry }) => entry.version!.root))
      for (const row of files) {
        const { root, size } = row.entry.version!
        if (!wanted.has(root)) continue
        const path = await rows.localPathOf(row)
        if (path === undefined) yield undefined
        else yield { absolute: `${directory}/${path}`, path, size, takes: (each) => each === root }
      }
    }
  }

  /**
   * What was replaced or deleted here may be the last of what a hub that went back shows. `undefined`: one that the
   * disk did not show.
   */
  async *thrownAway(signal: AbortSignal): AsyncIterable<Candidate | undefined> {
    let bySize = new Map<number, Set<ChunkId>>()
    let count = 0
    for await (const page of this.context.space.wanted.all()) {
      for (const { root, size } of page) bySize.set(size, (bySize.get(size) ?? new Set()).add(root))
      count += page.length
      if (count < WALK_CONTENTS) continue
      yield* this.#thrownAwayOf(bySize, signal)
      bySize = new Map()
      count = 0
    }
    if (count > 0) yield* this.#thrownAwayOf(bySize, signal)
  }

  async *#thrownAwayOf(
    bySize: Map<number, Set<ChunkId>>,
    signal: AbortSignal,
  ): AsyncIterable<Candidate | undefined> {
    const { trash } = this
    let looks = 0
    for (const found of thingsBelow(this.context.files, trash)) {
      if (++looks % SLICE_LOOKS === 0) await new Promise((resolve) => setImmediate(resolve))
      signal.throwIfAborted()
      if (!found) {
        yield undefined
        continue
      }
      const { path, stat } = found
      const { kind, size } = stat
      const roots = kind === 'file' ? bySize.get(size) : undefined
      // Nobody writes there: what was read once is known.
      const known = this.#trashed.get(stampOf(path, stat))
      if (!roots || (known !== undefined && !roots.has(known))) continue
      const takes = (root: ChunkId): boolean => {
        this.#remember(stampOf(path, stat), root)
        const isTaken = roots.delete(root)
        if (roots.size === 0) bySize.delete(size)
        return isTaken
      }
      yield { absolute: `${trash}/${path}`, path: path.slice(path.indexOf('/') + 1), size, takes }
    }
  }

  #remember(stamp: string, root: ChunkId): void {
    if (this.#trashed.size >= REMEMBERED_MAX) this.#trashed.clear()
    this.#trashed.set(stamp, root)
  }
}

const stampOf = (path: string, { size, mtimeNs }: FileStat): string => `${size} ${mtimeNs} ${path}`
