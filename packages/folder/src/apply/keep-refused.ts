import {
  type EntryKey,
  type KeyValueOp,
  type Materialised,
  type Refused,
  refusedRows,
  type SpaceBinding,
} from '@tidemark/engine'
import type { ApplyContext } from '../apply-context.js'
import { changeRows } from '../change-rows.js'
import type { Fingerprint, SyncedRow } from '../rows.js'
import type { RowChange } from '../rows-store.js'
import { contentDiffers, type Item } from './item.js'

/** What the hub has refused of this folder's writes since the last look, by node. */
export async function readRefused(space: SpaceBinding): Promise<ReadonlyMap<string, Refused>> {
  const found = new Map<string, Refused>()
  for await (const page of space.rows.range(refusedRows.range)) {
    for (const [, row] of page) {
      const refused = refusedRows.decode(row)
      found.set(refused.node, refused)
    }
  }
  return found
}

/**
 * Of what the hub refused the bytes stay where their user has them. The rows say from now on what the space shows
 * again, or nothing: what stands there is an edit of it, or new, and `RefusedFiles` keeps it from being sent.
 *
 * @param currentPath Where a row stands, relative to the bound directory.
 * @returns whether rows changed: nothing that was gathered holds any more.
 */
export async function keepRefused(
  ctx: ApplyContext,
  refused: ReadonlyMap<string, Refused>,
  items: readonly Item[],
  currentPath: (row: SyncedRow) => string,
): Promise<boolean> {
  const changes: RowChange[] = []
  const shown: Materialised[] = []
  const touch: EntryKey[] = []
  const done = new Set<string>()
  const notes: { readonly path: string; readonly row: SyncedRow; readonly refusal: Refused }[] = []
  for (const { key, row, want, nodes } of items) {
    const ids = new Set<string>([nodeOf(key), ...(row?.entry.backing ?? [])])
    const refusal = [...ids].map((id) => refused.get(id)).find((each) => each !== undefined)
    // Shown for what is in it, and not refused yet: it is looked at again when that goes.
    if (want?.kind === 'dir' && refusal?.isUnknown) continue
    for (const id of ids) if (refused.has(id)) done.add(id)
    if (!row || !refusal || !wasRefused(row, refusal)) continue
    if (want && !contentDiffers(row, want)) continue
    notes.push({ path: currentPath(row), row, refusal })
    shown.push({ key, as: want, nodes })
    // Something that its user never saw is there now: what stands here is no edit of that.
    const isBase = want?.version === undefined || refusal.restored.includes(want.version.root)
    const after = want && isBase ? { ...row, entry: want, fingerprint: unlike(row.fingerprint) } : undefined
    changes.push({ before: row, after })
    // It waits until its place is free.
    if (want && !after) touch.push(key)
  }
  if (done.size === 0) return false
  const ops = [...done].map((node): KeyValueOp => ({ type: 'del', key: refusedRows.key(node) }))
  for (const { path, row, refusal } of notes) {
    ctx.refused.note(path, row.entry.kind as 'file' | 'dir' | 'symlink', row.fingerprint, refusal)
    ctx.onEvent({ type: 'problem', path, detail: `refused by the hub: ${refusal.message}` })
  }
  await changeRows(ctx, changes, { shown, ops, touch, sync: true })
  return notes.length > 0
}

/** Whether what the row says is on disk is what was refused, not what came of it. */
const wasRefused = ({ entry }: SyncedRow, { versions }: Refused): boolean =>
  entry.version ? versions.some(({ root }) => root === entry.version!.root) : entry.kind === 'dir'

/** Stamps that nothing on a disk has. */
const unlike = (fingerprint: Fingerprint): Fingerprint => ({ ...fingerprint, size: -1 })

/** A key is a node, or a node and a root. */
export const nodeOf = (key: EntryKey): string => key.split(':')[0]!
