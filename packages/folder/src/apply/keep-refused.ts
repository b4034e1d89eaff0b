import {
  type EntryKey,
  type KeyValueOp,
  type Materialised,
  type Refused,
  refusedRows,
  type SpaceBinding,
} from '@tidemark/engine'
import { sameDot } from '@tidemark/protocol'
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

/** Whether nothing was refused between two looks. */
export const sameRefusals = (a: ReadonlyMap<string, Refused>, b: ReadonlyMap<string, Refused>): boolean =>
  a.size === b.size && JSON.stringify([...a]) === JSON.stringify([...b])

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
  const kept = new Map<EntryKey, Kept>()
  const done = new Set<string>()
  const gathered = new Set(items.map(({ key }) => key))
  for (const item of items) {
    const { key, row, want } = item
    const ids = new Set<string>([nodeOf(key), ...(row?.entry.backing ?? [])])
    const all: Refused[] = []
    for (const id of ids) {
      const refusal = refused.get(id)
      if (refusal && (await concernsOnly(gathered, refusal, ctx))) all.push(refusal)
    }
    if (all.length === 0) continue
    const valid = await stillValid(ctx, all, (row?.entry ?? want)?.kind === 'dir')
    // Shown for what is in it, and not refused yet: it is looked at again when that goes.
    if (want?.kind === 'dir' && valid.length > 0) continue
    for (const { node } of all) done.add(node)
    const [refusal] = valid
    if (!row || !refusal || !wasRefused(row, refusal)) continue
    if (want && !contentDiffers(row, want)) continue
    // Something that its user never saw is there now: what stands here is no edit of that.
    const isBase = want?.version === undefined || refusal.restored.includes(want.version.root)
    const after = want && isBase ? { ...row, entry: want, fingerprint: unlike(row.fingerprint) } : undefined
    kept.set(key, { item, row, refusal, after })
  }
  if (done.size === 0) return false
  const shown: Materialised[] = []
  const changes: RowChange[] = []
  const touch: EntryKey[] = []
  const notes: Kept[] = []
  for (const each of kept.values()) {
    const { item, row, after } = each
    const { key, want, nodes } = item
    if (row.entry.kind === 'dir' && !(await goesWithAll(ctx, key, kept))) continue
    notes.push(each)
    shown.push({ key, as: want, nodes })
    changes.push({ before: row, after })
    // It waits until its place is free.
    if (want && !after) touch.push(key)
  }
  const ops = [...done].map((node): KeyValueOp => ({ type: 'del', key: refusedRows.key(node) }))
  for (const { row, refusal } of notes) {
    const path = currentPath(row)
    ctx.refused.note(path, row.entry.kind as 'file' | 'dir' | 'symlink', row.fingerprint, refusal)
    ctx.onEvent({ type: 'problem', path, detail: `refused by the hub: ${refusal.message}` })
  }
  await changeRows(ctx, changes, { shown, ops, touch, sync: true })
  return notes.length > 0
}

/** Whether what was refused stands at none but these entries: else it is theirs whose turn comes later. */
async function concernsOnly(
  gathered: ReadonlySet<EntryKey>,
  refusal: Refused,
  { rows }: ApplyContext,
): Promise<boolean> {
  const { node, versions } = refusal
  const keys = [node, ...versions.map(({ root }) => `${node}:${root}`)] as EntryKey[]
  const others = await rows.getMany(keys.filter((key) => !gathered.has(key)))
  return !others.some((row) => row && wasRefused(row, refusal))
}

interface Kept {
  readonly item: Item
  readonly row: SyncedRow
  readonly refusal: Refused
  /** `undefined`: the row goes. */
  readonly after: SyncedRow | undefined
}

/** Of a directory only those count that took it back, and that nobody has moved or deleted since. */
async function stillValid(
  { space }: ApplyContext,
  refusals: readonly Refused[],
  isDirectory: boolean,
): Promise<readonly Refused[]> {
  if (!isDirectory) return refusals
  const valid: Refused[] = []
  for (const refusal of refusals) {
    const node = await space.received.node(refusal.node)
    const { tombstone } = refusal
    if (tombstone && node?.loc.some(({ dot }) => sameDot(dot, tombstone))) valid.push(refusal)
  }
  return valid
}

/**
 * Whether all rows in a directory go with its own. Otherwise the hub had taken something in it, which others deleted
 * or moved: the directory was shown for that, and goes as for everybody.
 */
async function goesWithAll(
  ctx: ApplyContext,
  key: EntryKey,
  kept: ReadonlyMap<EntryKey, Kept>,
): Promise<boolean> {
  for (const row of (await ctx.rows.inDirectory(key)).values()) {
    const known = kept.get(row.key)
    if (!known || known.after) return false
    if (row.entry.kind === 'dir' && !(await goesWithAll(ctx, row.key, kept))) return false
  }
  return true
}

/** Whether what the row says is on disk is what was refused, not what came of it. */
const wasRefused = ({ entry }: SyncedRow, { versions }: Refused): boolean =>
  entry.version ? versions.some(({ root }) => root === entry.version!.root) : entry.kind === 'dir'

/** Stamps that nothing on a disk has. */
const unlike = (fingerprint: Fingerprint): Fingerprint => ({ ...fingerprint, size: -1 })

/** A key is a node, or a node and a root. */
export const nodeOf = (key: EntryKey): string => key.split(':')[0]!
