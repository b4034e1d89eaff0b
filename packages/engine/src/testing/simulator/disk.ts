import type { NodeEntry, NodeId } from '@tidemark/protocol'
import type { Materialised } from '../../binding.js'
import { rowRange, type Site } from './site.js'
import { mustHold } from './violation.js'
import { entriesIn } from './world.js'

const ENTRIES_MAX = 1_000
const ROUNDS_MAX = 50

/** What a folder would put on the disk, as it was when the plan was made. */
export type Plan = readonly Materialised[]

/**
 * Reads what the dirty entries should be. All of them: a folder that leaves some out brings in their
 * relatives (nodes that merged or split), which this disk does not do.
 */
export async function planOf(site: Site): Promise<Plan> {
  const { database } = site
  const plan: Materialised[] = []
  for (const key of await database.dirty(ENTRIES_MAX)) {
    const was = await database.synced.entry(key)
    // Registers before the entry: then they are never newer than what is shown.
    const ids = new Set<NodeId>([key.split(':')[0] as NodeId, ...(was?.backing ?? [])])
    const nodes: NodeEntry[] = []
    const as = await database.received.entry(key)
    for (const id of as?.backing ?? []) ids.add(id)
    for (const id of ids) {
      const node = await database.received.node(id)
      if (node) nodes.push(node)
    }
    plan.push({ key, as, nodes })
  }
  return plan
}

/** Brings the whole disk up to date: all that was received is on it. @throws {InvariantViolation} it does not get there. */
export async function bringUpToDate(site: Site): Promise<void> {
  for (let round = 0; ; round++) {
    const plan = await planOf(site)
    if (plan.length === 0) break
    mustHold(round < ROUNDS_MAX, 'FB13', () => `${site.name} always finds something to put on its disk`)
    await site.database.materialised(plan, [], { sync: true })
  }
  const lines = (tree: 'received' | 'synced'): string[] =>
    entriesIn(site, tree).map((entry) => JSON.stringify(entry))
  const [disk, known] = [lines('synced'), lines('received')]
  const wrong = disk.filter((line) => !known.includes(line))
  const missing = known.filter((line) => !disk.includes(line))
  mustHold(wrong.length + missing.length === 0, 'FB13', () => {
    return `the disk of ${site.name} shows\n${wrong.join('\n')}\nand not\n${missing.join('\n')}`
  })
  const [taken, received] = [await registersIn(site, 'y'), await registersIn(site, 'r')]
  const behind = [...received].filter(([key, registers]) => taken.get(key) !== registers)
  mustHold(behind.length === 0, 'FB13', () => {
    return `the synced tree of ${site.name} has not taken in\n${behind.map(([, registers]) => registers).join('\n')}`
  })
}

/** Node → its registers, as text. */
async function registersIn(site: Site, tree: 'r' | 'y'): Promise<ReadonlyMap<string, string>> {
  const range = rowRange(tree, 'n')
  const registers = new Map<string, string>()
  for await (const page of site.store.range(range)) {
    for (const [key, row] of page)
      registers.set(key.slice(range.gte.length), Buffer.from(row).toString('base64'))
  }
  return registers
}
