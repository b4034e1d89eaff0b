import { ROOT } from '@tidemark/protocol'
import { describe, expect, it } from 'vitest'
import type { UserOp } from '../../core/user-op.js'
import { entryKey } from '../../core/view-entry.js'
import { checkEnd, heal } from './final-checks.js'
import { Housekeeping } from './housekeeping.js'
import type { Link } from './link.js'
import { SeededRandom } from './random.js'
import type { Site } from './site.js'
import { Trace } from './trace.js'
import { contentOf } from './user.js'
import { stateOf, World } from './world.js'

/** A world in which only the test decides what happens next. One entry a frame. */
const quietWorld = (options: { hasMembers?: boolean } = {}): World =>
  new World({
    ...options,
    random: new SeededRandom(1),
    trace: new Trace(),
    bug: undefined,
    encoded: true,
    entriesPerFrameMax: 1,
  })

/** Writes a file: a new one, or new bytes of the one with this name. */
async function save(world: World, site: Site, name: string): Promise<void> {
  await world.commit(site, (entries) => {
    const content = contentOf(world.newText())
    const known = entries.find((entry) => entry.name === name)
    const op: UserOp = known
      ? { type: 'edit', entry: entryKey(known), content }
      : { type: 'create', ref: name, parent: { node: ROOT }, name, kind: 'file', content }
    return { ops: [op] }
  })
  await world.settle()
}

/** Delivers to this site over this link as long as `wanted` says so. @returns the types of what came. */
async function pump(
  world: World,
  link: Link,
  to: Site,
  wanted: (type: string) => boolean,
): Promise<string[]> {
  const side = link.sites[0] === to ? 0 : 1
  const came: string[] = []
  while (link.pending().includes(side)) {
    const { type } = link.deliver(side)
    came.push(type)
    await world.settle()
    if (!wanted(type)) break
  }
  return came
}

async function deliverAll(world: World, link: Link): Promise<void> {
  for (let ways = link.pending(); ways.length > 0; ways = link.pending()) {
    link.deliver(ways[0]!)
    await world.settle()
  }
}

async function connect(world: World, link: Link): Promise<void> {
  link.connect()
  await world.settle()
}

async function restart(world: World, site: Site, store: Site['store']): Promise<void> {
  for (const link of world.linksOf(site)) link.cut()
  world.wentBack(site)
  await site.restart(store)
  await world.settle()
}

describe('what the simulator found', () => {
  it('a cursor inside a round is void once the sender was opened again: a node below it may have moved (seed 2406)', async () => {
    const world = quietWorld()
    const a = await world.addSite('direct')
    const b = await world.addSite('relay')
    const link = world.join(a, b)
    await save(world, a, 'x')
    await save(world, a, 'y')
    const backup = a.store.backup()
    await save(world, a, 'x')
    await connect(world, link)
    // The round is y, x: b gets y only. In the backup x stands below y.
    await pump(world, link, a, () => true)
    expect(await pump(world, link, b, (type) => type !== 'entries')).toEqual(['open', 'entries'])
    await restart(world, a, backup)
    world.ledger.doubt(await Promise.all(world.sites.map(stateOf)))
    await heal(world)
    await checkEnd(world)
    expect((await stateOf(b)).size).toBe(2)
  })

  it('writes of an incarnation that its own device no longer knows hold nobody up (seed 1064)', async () => {
    const world = quietWorld()
    const a = await world.addSite('direct')
    const b = await world.addSite('relay')
    const link = world.join(a, b)
    const backup = a.store.backup()
    await connect(world, link)
    await deliverAll(world, link)
    await save(world, a, 'x')
    expect(await pump(world, link, b, (type) => type !== 'entries')).toEqual(['entries'])
    await restart(world, a, backup)
    await heal(world)
    await checkEnd(world)
    expect(b.database.isWhole).toBe(true)
  })

  it('a device that went back learns of it within a session too, from a sync point (seed 1101)', async () => {
    const world = quietWorld()
    const a = await world.addSite('direct')
    const b = await world.addSite('relay')
    const c = await world.addSite('direct')
    const ab = world.join(a, b)
    const bc = world.join(b, c)
    for (const link of [ab, bc]) await connect(world, link)
    await save(world, a, 'x')
    for (let i = 0; i < 3; i++) for (const link of [ab, bc]) await deliverAll(world, link)
    const backup = a.store.backup()
    await save(world, a, 'x')
    await pump(world, ab, b, (type) => type !== 'entries')
    await pump(world, bc, c, (type) => type !== 'entries')
    // c alone keeps that write.
    for (const link of [ab, bc]) link.cut()
    await b.crash(0)
    await restart(world, a, backup)
    await connect(world, ab)
    await deliverAll(world, ab)
    await heal(world)
    await checkEnd(world)
    expect([a, b, c].map((site) => site.database.isWhole)).toEqual([true, true, true])
  })

  it('an OPEN that other ways overtook does not make a living incarnation a lost one', async () => {
    const world = quietWorld()
    const a = await world.addSite('direct')
    const b = await world.addSite('direct')
    const c = await world.addSite('direct')
    const [ab, ac, cb] = [world.join(a, b), world.join(a, c), world.join(c, b)]
    await save(world, a, 'x')
    for (const link of [ab, ac, cb]) await connect(world, link)
    for (const link of [ac, cb]) await deliverAll(world, link)
    await save(world, a, 'x')
    for (const link of [ac, cb]) await deliverAll(world, link)
    await deliverAll(world, ab)
    expect(b.database.lost.size).toBe(0)
    await heal(world)
    await checkEnd(world)
  })

  it('a change that comes while a round ends is served by the next one', async () => {
    for (let delay = 0; delay < 400; delay++) {
      const world = quietWorld()
      const a = await world.addSite('direct')
      const b = await world.addSite('relay')
      const link = world.join(a, b)
      await save(world, a, 'x')
      await save(world, a, 'y')
      await connect(world, link)
      await pump(world, link, a, () => true)
      await pump(world, link, b, (type) => type !== 'open')
      // Three frames are under way, so the sync point at the end of the round waits for one to arrive.
      const committed = world.commit(a, () => ({ ops: [creation('z')] }))
      for (let turn = 0; turn < delay; turn++) await Promise.resolve()
      link.deliver(1)
      await committed
      await world.settle()
      await deliverAll(world, link)
      await checkEnd(world)
    }
  })

  it('[GC16] what was collected while the first round of a replica was cut does not stay with it (seed 2492)', async () => {
    const world = quietWorld({ hasMembers: true })
    const hub = await world.addSite('relay')
    const a = await world.addSite('direct')
    const housekeeping = new Housekeeping(world)
    const link = world.join(hub, a)
    await connect(world, link)
    for (const name of ['x', 'y', 'z']) await save(world, a, name)
    await deliverAll(world, link)
    const b = await world.addSite('direct')
    const late = world.join(hub, b)
    await connect(world, late)
    await pump(world, late, hub, () => true)
    await pump(world, late, b, (type) => type !== 'entries')
    late.cut()
    await hub.database.gc.evict(b.device)
    await world.commit(a, (entries) => ({
      ops: entries
        .filter(({ name }) => name === 'x')
        .map((entry) => ({ type: 'delete', entry: entryKey(entry) })),
    }))
    for (let round = 0; round < 4; round++) {
      for (const site of [a, hub]) {
        await housekeeping.tick(site)
        await world.settle()
        await deliverAll(world, link)
      }
    }
    expect([(await stateOf(hub)).size, (await stateOf(b)).size]).toEqual([2, 1])
    await heal(world)
    await checkEnd(world)
    expect((await stateOf(b)).size).toBe(2)
  })
})

const creation = (name: string): UserOp => ({
  type: 'create',
  ref: name,
  parent: { node: ROOT },
  name,
  kind: 'file',
  content: contentOf(name),
})
