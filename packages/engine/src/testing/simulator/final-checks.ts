import { decodeNodeEntry, encodeNodeEntry, equalBytes } from '@tidemark/protocol'
import { maxSibling } from '../../core/register.js'
import { referenceView } from '../../core/view/reference.js'
import { entryKey, type ViewEntry } from '../../core/view-entry.js'
import { isAlive, liveLocs, visibleContents } from '../../core/visibility.js'
import { nodeHasher } from '../../node/node-hasher.js'
import type { KeyValue } from '../../ports/key-value-store.js'
import type { Site } from './site.js'
import { rowRange } from './site.js'
import { entriesOf } from './user.js'
import { mustHold } from './violation.js'
import { entriesIn, stateOf, type World } from './world.js'

/** Frames that a group of five needs at most to fall silent, far above what was ever seen. */
const FRAMES_TO_SILENCE_MAX = 4_000

/** Heals everything and delivers until nobody has anything to say. */
export async function heal(world: World): Promise<number> {
  for (const link of world.links) link.isSlow = false
  for (const link of world.links) link.connect()
  await world.settle()
  let frames = 0
  for (;;) {
    const ways = world.links.flatMap((link) => link.pending().map((to) => ({ link, to })))
    if (ways.length === 0) return frames
    const { link, to } = world.random.pick(ways)
    world.trace.add(`${link.sites[to].index} gets ${link.deliver(to).type}`)
    await world.settle()
    frames++
    mustHold(frames < FRAMES_TO_SILENCE_MAX, 'EX10', () => 'the group does not fall silent')
  }
}

/** What holds when everybody has heard everything. @throws {InvariantViolation} */
export async function checkEnd(world: World): Promise<void> {
  const { sites, ledger } = world
  const first = sites[0]!
  for (const site of sites) {
    ledger.checkComplete(site.name, world.checkSite(site))
    mustHold(site.database.isWhole, 'EX6', () => `${site.name} waits for ever: ${strayDots(site)}`)
    const difference = frontierDifference(first, site)
    mustHold(
      difference === undefined,
      'VW4',
      () => `frontiers of ${first.name} and ${site.name}: ${difference}`,
    )
  }
  sameRows(sites, 'n')
  await sameDigests(sites)
  sameRows(
    sites.filter((site) => site.hasUser),
    'e',
  )
  const viewers = sites.filter((site) => site.hasUser)
  for (const viewer of viewers) await checkWalk(viewer)
  const [viewer] = viewers
  if (!viewer) return
  checkViews(world)
  world.contents.check(entriesIn(viewer, 'received'))
}

/** What each shows is the view of what it holds, in the middle of everything too: then there are cycles. */
export function checkViews(world: World): void {
  for (const site of world.sites) {
    if (!site.hasUser || !site.isOpen || site.database.isRejoining) continue
    checkReference(entriesIn(site, 'received'), [...stateOf(site).values()])
  }
}

/** What an audit compares: it must see no difference where there is none. */
async function sameDigests(sites: readonly Site[]): Promise<void> {
  const digests = await Promise.all(
    sites.map(async ({ database }) => {
      const snapshot = await database.snapshot()
      const digest = await snapshot.digest()
      await snapshot.close()
      return digest
    }),
  )
  for (const [i, digest] of digests.entries()) {
    const [a, b] = [sites[0]!, sites[i]!]
    mustHold(digest === digests[0], 'EX12', () => `digests of ${a.name} and ${b.name} differ`)
  }
}

/** A walk through the directories that the user sees meets every entry once. */
async function checkWalk(site: Site): Promise<void> {
  const keys = (entries: readonly ViewEntry[]): string => entries.map(entryKey).sort().join(' ')
  const shown = keys(entriesIn(site, 'synced'))
  const walked = keys(await entriesOf(site.database.synced))
  mustHold(shown === walked, 'V13', () => `${site.name} shows ${shown}, a walk meets ${walked}`)
}

function checkReference(shown: readonly ViewEntry[], nodes: Parameters<typeof referenceView>[0]): void {
  const text = (entries: readonly ViewEntry[]): string =>
    entries
      .map((entry) => `${entryKey(entry)} ${entry.parent} ${entry.name} ${entry.role} ${entry.version?.root}`)
      .sort()
      .join('\n')
  const expected = referenceView(nodes, nodeHasher.sha256)
  mustHold(text(shown) === text(expected), 'V16', () => `shown\n${text(shown)}\nexpected\n${text(expected)}`)
}

function strayDots(site: Site): string {
  const { frontier, met, lost } = site.database
  const strays = [...met].filter(([rid, seq]) => (frontier.get(rid) ?? 0) < seq && !lost.has(rid))
  return strays.map(([rid, seq]) => `${rid}:${seq}`).join(' ')
}

function frontierDifference(a: Site, b: Site): string | undefined {
  const rids = new Set([...a.database.frontier.keys(), ...b.database.frontier.keys()])
  for (const rid of rids) {
    const [x, y] = [a.database.frontier.get(rid) ?? 0, b.database.frontier.get(rid) ?? 0]
    if (x !== y) return `${rid} ${x} and ${y}`
  }
  return undefined
}

/**
 * What is dead, and what a deletion hides in a node that lives again (an attribute of its last life too), may be
 * collected by some and not by others yet: of registers only what lives counts.
 */
function rowsOf(site: Site, rows: 'n' | 'e'): readonly KeyValue[] {
  const all = site.store.entries(rowRange('r', rows))
  if (rows === 'e') return all
  return all.flatMap(([key, row]): KeyValue[] => {
    const entry = decodeNodeEntry(row)
    if (!isAlive(entry)) return []
    const attr = [maxSibling(entry.attr)].filter((sibling) => sibling !== undefined)
    const living = { ...entry, loc: liveLocs(entry), content: visibleContents(entry), attr }
    return [[key, encodeNodeEntry(living)]]
  })
}

function sameRows(sites: readonly Site[], rows: 'n' | 'e'): void {
  const first = sites[0] && rowsOf(sites[0], rows)
  for (const site of sites.slice(1)) {
    const others = rowsOf(site, rows)
    const isSame =
      others.length === first!.length &&
      others.every(([key, row], i) => key === first![i]![0] && equalBytes(row, first![i]![1]))
    mustHold(isSame, 'VW4', () => {
      const [ours, theirs] = [first!.map(told), others.map(told)]
      const differ = [
        ...theirs.filter((row) => !ours.includes(row)),
        ...ours.filter((row) => !theirs.includes(row)),
      ]
      return `${site.name} ends with other rows than ${sites[0]!.name}: ${differ.join('; ')}`
    })
  }
}

const told = ([key, row]: readonly [string, Uint8Array]): string =>
  key.includes('/n/')
    ? JSON.stringify(decodeNodeEntry(row), (_, value) => (value instanceof Map ? [...value] : value))
    : `${key} ${Buffer.from(row).toString('latin1')}`
