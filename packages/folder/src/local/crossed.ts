import { rowOps } from '../rows-store.js'
import type { PushContext } from './push-context.js'

/**
 * Takes away what stands at a place for an entry that has its row at another place, or none: no scan could ever
 * settle it. Nothing should leave such; what did once must not stay.
 *
 * @returns how many there were.
 */
export async function mendCrossed({ rows, space }: Pick<PushContext, 'rows' | 'space'>): Promise<number> {
  let found = 0
  for await (const page of rows.all()) {
    const known = await rows.getMany(page.map(({ key }) => key))
    const changes = page.flatMap((row, i) => {
      const real = known[i]
      if (real?.dir === row.dir && real.localName === row.localName) return []
      found++
      // The last word is that of the row that its key leads to.
      return [{ before: row, after: undefined }, ...(real ? [{ before: real, after: real }] : [])]
    })
    if (changes.length === 0) continue
    await space.touch(changes.flatMap(({ before, after }) => (after ? [] : before.key)))
    await space.writeRows(rowOps(changes), { sync: false })
  }
  return found
}
