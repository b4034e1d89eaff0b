import type { BuiltPack } from '@tidemark/engine'
import { type BlobId, type ChunkId, LEASE_MS, type SpaceName } from '@tidemark/protocol'
import type { Counted } from '../uptime.js'
import { type ChunkRow, isIn, newRow, withoutPlace, withPlace } from './chunk-row.js'
import type { IndexQueue } from './index-transaction.js'

/** What a pass found of some chunks. */
export interface Marked {
  /** Not in the index. */
  readonly absent: readonly ChunkId[]
  /** In the index, and what is below them has not been marked by this pass. */
  readonly unwalked: readonly ChunkId[]
}

/** What of a blob is needed, bytes. */
export interface Verdict {
  readonly bytes: number
  /** Nothing needs it, and nobody has a lease on it; what was moved to another blob too. */
  readonly deletableBytes: number
  /** Of chunks that are condemned, the deletable ones too. */
  readonly condemnedBytes: number
  /** Chunks that have a place here and are not deletable. */
  readonly living: ReadonlySet<ChunkId>
}

/** When what is condemned may be deleted. */
export interface Keeping {
  /** How long it is kept, milliseconds. */
  readonly keepMs: number
  /** Since when the store is this hub's alone: what was condemned before is kept from then on. Time of `Uptime`. */
  readonly soleSinceMs: number
}

export interface Removal extends Keeping {
  /** Asked when it is this change's turn: whether each register is marked. */
  isCurrent(): boolean
}

/**
 * The index as a pass of the sweep changes it. The rules are here: whatever else changes the index comes before or
 * after each of these changes, never in between.
 */
export class SweepIndex {
  constructor(
    private readonly queue: IndexQueue,
    private readonly uptime: Counted,
  ) {}

  /** Registers name these: none of them is condemned. @param isNode What is below them is marked next. */
  mark(space: SpaceName, chunks: readonly ChunkId[], passMs: number, isNode: boolean): Promise<Marked> {
    return this.queue.run(async (txn) => {
      const rows = await txn.chunks(space, chunks)
      const unwalked: ChunkId[] = []
      for (const [id, row] of rows) {
        const isUnwalked = isNode && row.walkedMs !== passMs
        if (isUnwalked) unwalked.push(id)
        if (row.usedMs >= passMs && row.condemnedMs === 0 && !isUnwalked) continue
        // Lost in a crash, "have" would have been said of what may be deleted at once.
        if (row.condemnedMs > 0) txn.isSync = true
        const walkedMs = isNode ? passMs : row.walkedMs
        txn.setChunk(space, id, { ...row, usedMs: Math.max(row.usedMs, passMs), condemnedMs: 0, walkedMs })
      }
      return { absent: [...new Set(chunks)].filter((id) => !rows.has(id)), unwalked }
    })
  }

  /**
   * Condemns what a whole pass has not marked and nobody has a lease on.
   * @returns `undefined` where the index does not say what is in the blob.
   */
  judge(space: SpaceName, blob: BlobId, passMs: number, keeping: Keeping): Promise<Verdict | undefined> {
    return this.queue.run(async (txn) => {
      const nowMs = this.uptime.nowMs()
      const contents = await txn.contents(space, blob)
      if (!contents) return undefined
      const rows = await txn.chunks(
        space,
        contents.map(({ id }) => id),
      )
      for (const [id, row] of rows) {
        const isUnused = row.usedMs < passMs && row.usedMs + LEASE_MS <= nowMs
        if (!isUnused || row.condemnedMs > 0) continue
        const condemned = { ...row, condemnedMs: nowMs }
        rows.set(id, condemned)
        txn.setChunk(space, id, condemned)
      }
      const living = new Set<ChunkId>()
      let [bytes, deletableBytes, condemnedBytes] = [0, 0, 0]
      for (const { id, storedLength } of contents) {
        const row = rows.get(id)
        const isHere = row !== undefined && isIn(blob, row)
        bytes += storedLength
        if (isHere && row.condemnedMs > 0) condemnedBytes += storedLength
        if (isHere && !this.#isDeletable(row, keeping)) living.add(id)
        else deletableBytes += storedLength
      }
      return { bytes, deletableBytes, condemnedBytes, living }
    })
  }

  /** Forgets a blob in which nothing lives. @returns false, with nothing changed, where something does by now. */
  remove(space: SpaceName, blob: BlobId, removal: Removal): Promise<boolean> {
    return this.queue.run(async (txn) => {
      const row = await txn.blob(space, blob)
      const contents = await txn.contents(space, blob)
      if (!row || !contents) return false
      // Whoever was told a place in it before reads it there.
      if (row.emptiedMs > 0 && row.emptiedMs + LEASE_MS > this.uptime.nowMs()) return false
      const rows = await txn.chunks(
        space,
        contents.map(({ id }) => id),
      )
      const inIt = [...rows].filter(([, chunk]) => isIn(blob, chunk))
      if (!removal.isCurrent() || inIt.some(([, chunk]) => !this.#isDeletable(chunk, removal))) return false
      for (const [id, chunk] of inIt) txn.setChunk(space, id, withoutPlace(chunk, blob))
      txn.forgetBlob(space, blob)
      txn.isSync = true
      return true
    })
  }

  /** What lives of a blob is in a pack too, and from now on only there. Precondition: as that of `BlobIndex.add`. */
  move(space: SpaceName, from: BlobId, pack: BuiltPack): Promise<void> {
    return this.queue.run(async (txn) => {
      const nowMs = this.uptime.nowMs()
      const rows = await txn.chunks(
        space,
        pack.chunks.map(({ id }) => id),
      )
      const old = await txn.blob(space, from)
      for (const { id, ...place } of pack.chunks) {
        const row = withPlace(rows.get(id) ?? newRow(nowMs), { ...place, blob: pack.id }, from)
        rows.set(id, row)
        txn.setChunk(space, id, row)
      }
      txn.setBlob(space, pack.id, { freshMs: 0, emptiedMs: 0 })
      txn.setContents(space, pack.id, pack.chunks)
      if (old) txn.setBlob(space, from, { ...old, emptiedMs: nowMs })
      txn.isSync = true
    })
  }

  #isDeletable({ condemnedMs, usedMs }: ChunkRow, { keepMs, soleSinceMs }: Keeping): boolean {
    const nowMs = this.uptime.nowMs()
    if (condemnedMs === 0) return false
    return Math.max(condemnedMs, soleSinceMs) + keepMs <= nowMs && usedMs + LEASE_MS <= nowMs
  }
}
