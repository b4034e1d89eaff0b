import type { HeldFile, Version } from '@tidemark/engine'
import type { ApplyContext } from '../apply-context.js'
import { openSource } from '../local/read-content.js'
import type { SyncedRow } from '../rows.js'

/**
 * Files on disk whose chunks need not be fetched: a copy of this version, and what stands in its place. One
 * that the user edits meanwhile holds nothing any more.
 */
export async function heldFiles(
  ctx: ApplyContext,
  wanted: Version,
  before: SyncedRow | undefined,
): Promise<HeldFile[]> {
  const held: HeldFile[] = []
  const copy = await ctx.rows.byRoot(wanted.root)
  for (const row of [copy, before]) {
    if (!row) continue
    const { version, kind } = row.entry
    const path = await ctx.rows.localPathOf(row)
    if (kind !== 'file' || !version || path === undefined) continue
    held.push({
      version,
      open: async () => openSource(ctx.files, `${ctx.directory}/${path}`, row.fingerprint),
    })
  }
  return held
}
