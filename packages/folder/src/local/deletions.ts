import type { EntryKey } from '@tidemark/engine'
import type { SyncedRow } from '../rows.js'
import type { IgnoreRules } from '../scan/ignore-rules.js'
import type { Deletion } from './item.js'
import type { PushContext } from './push-context.js'

interface Options {
  readonly context: Pick<PushContext, 'rows'>
  readonly rules: IgnoreRules
  /** Rows below that stay, with all below them. */
  readonly except: ReadonlySet<EntryKey>
  readonly isDisplaced: boolean
}

/** With all below, one after the other, each deepest first: nothing is left in a directory that is deleted. */
export async function deletionsOf(gone: readonly SyncedRow[], options: Options): Promise<Deletion[]> {
  const all: Deletion[] = []
  for (const row of gone) for (const each of await withAllBelow(row, options)) all.push(each)
  return all
}

async function withAllBelow(
  row: SyncedRow,
  { context: { rows }, rules, except, isDisplaced }: Options,
): Promise<Deletion[]> {
  const topPath = await rows.localPathOf(row)
  if (topPath === undefined) return []
  const top = { path: topPath, row }
  // Who removes a directory removes all in it, whatever rules hide there; others who hide it keep it.
  const isIgnored = rules.isIgnored(topPath, row.entry.kind === 'dir')
  const deletion = (path: string, row: SyncedRow): Deletion => {
    return { type: 'delete', path, row, top, isDisplaced, isIgnored }
  }
  const items = [deletion(topPath, row)]
  for (let at = 0; at < items.length; at++) {
    const above = items[at]!
    if (above.row.entry.kind !== 'dir') continue
    for (const [name, child] of await rows.inDirectory(above.row.key)) {
      if (except.has(child.key)) continue
      items.push(deletion(`${above.path}/${name}`, child))
    }
  }
  return items.reverse()
}
