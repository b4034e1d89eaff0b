import type { NodeId } from '@tidemark/protocol'
import { BatchMaker, type ContentEvent, seededRandom } from './random-batch.js'
import { User } from './user.js'

/** One content event of a committed batch, and what its author knew of other events. */
interface Happened extends ContentEvent {
  readonly id: number
  readonly nodes: readonly NodeId[]
  readonly known: ReadonlySet<string>
}

interface Replica {
  readonly user: User
  /** `event@node`: which parts of which events are in the received state, and on the disk. */
  readonly received: Set<string>
  synced: Set<string>
}

const part = (event: number, node: NodeId): string => `${event}@${node}`
const nodeOf = (known: string): string => known.slice(known.indexOf('@') + 1)

/**
 * A random history of two or three users: batches on what each sees, whole node entries delivered in any
 * order, disks that lag. In the end everybody gets everything.
 *
 * @throws {Error} a rule is broken; the message says which, and where.
 */
export async function runSeed(seed: number): Promise<void> {
  const random = seededRandom(seed)
  let clock = 1_000_000
  let texts = 0
  const oneTree = random(4) === 0
  // Files with equal bytes become one entry, so what a batch makes of the disk is not foreseen then.
  const equalRoots = random(8) === 0
  const newText = () => (equalRoots ? `text ${random(4)}` : `text ${++texts}`)
  const replicas: Replica[] = Array.from({ length: 2 + random(2) }, (_, i) => ({
    user: new User(`user ${i}`, { oneTree, skewMs: random(3) * 1_000, now: () => clock }),
    received: new Set<string>(),
    synced: new Set<string>(),
  }))
  const history: Happened[] = []
  const steps = 6 + random(random(4) === 0 ? 60 : 20)
  for (let step = 0; step < steps; step++) {
    clock += random(800)
    const replica = replicas[random(replicas.length)]!
    const choice = random(10)
    if (choice < 5) await act(replica, step)
    else if (choice < 8) await deliver(replicas[random(replicas.length)]!, replica, random(3) > 0)
    else await materialise(replica, oneTree || random(2) === 0)
  }
  for (const from of replicas) for (const to of replicas) await deliver(from, to, true)
  for (const from of replicas) for (const to of replicas) await deliver(from, to, true)
  for (const replica of replicas) await materialise(replica, true)
  await checkEnd()

  async function act(replica: Replica, step: number): Promise<void> {
    const { user } = replica
    const before = await user.entries()
    const batch = new BatchMaker(before, random, newText).make(1 + random(5))
    const { changes, nodes } = await user.commit(batch.ops)
    if (!equalRoots)
      expectSameDisk(
        await user.disk(),
        batch.disk,
        `step ${step}: the disk after ${JSON.stringify(batch.ops)}`,
      )
    const after = await user.entries()
    expectEqual(applyChanges(before, changes), jsonValues(after), `step ${step}: reported changes`)
    const known = new Set(replica.synced)
    for (const event of batch.events) {
      const happened = { ...event, id: history.length, nodes: nodes.map(({ id }) => id), known }
      history.push(happened)
      for (const node of happened.nodes) {
        known.add(part(happened.id, node))
        replica.received.add(part(happened.id, node))
        replica.synced.add(part(happened.id, node))
      }
    }
  }

  async function deliver(from: Replica, to: Replica, all: boolean): Promise<void> {
    if (from === to) return
    const nodes = from.user.nodes().filter(() => all || random(2) === 0)
    await to.user.receive(nodes)
    const ids = new Set(nodes.map(({ id }) => id as string))
    for (const known of from.received) if (ids.has(nodeOf(known))) to.received.add(known)
    if (oneTree) to.synced = new Set(to.received)
  }

  async function materialise(replica: Replica, all: boolean): Promise<void> {
    const { user } = replica
    const ids = new Set(user.nodes().flatMap(({ id }) => (all || random(2) === 0 ? [id as string] : [])))
    await user.materialise(user.nodes().filter(({ id }) => ids.has(id)))
    for (const known of replica.received) if (ids.has(nodeOf(known))) replica.synced.add(known)
    if (all)
      expectEqual(
        await user.disk(),
        await user.disk(user.received),
        'a disk that shows all that was received',
      )
  }

  async function checkEnd(): Promise<void> {
    const [first, ...others] = await Promise.all(replicas.map(({ user }) => user.disk()))
    for (const other of others) expectEqual(other, first!, 'all disks in the end')
    if (equalRoots) return
    const shown = [...first!.values()].filter((root) => root !== 'dir')
    for (const { root } of history.filter(({ type }) => type === 'made')) {
      const about = history.filter((event) => event.root === root)
      const kills = about.filter(({ type }) => type === 'killed')
      const moves = about.filter(({ type }) => type === 'moved')
      const count = shown.filter((other) => other === root).length
      if (count === 0 && kills.length === 0) throw new Error(`content ${root} is lost`)
      if (count > 1 && moves.length === 0) throw new Error(`content ${root} is shown ${count} times`)
      const knewAll = kills.some(({ known }) =>
        moves.every(({ id, nodes }) => nodes.every((node) => known.has(part(id, node)))),
      )
      if (count > 0 && knewAll) throw new Error(`content ${root} came back`)
    }
  }
}

function applyChanges(
  before: ReadonlyMap<string, unknown>,
  changes: readonly { key: string; after?: unknown }[],
): Map<string, string> {
  const out = jsonValues(before)
  for (const { key, after } of changes) {
    if (after) out.set(key, JSON.stringify(after))
    else out.delete(key)
  }
  return out
}

/** A suffix may shrink by some letters when a twin that a user typed goes away: nothing else may shift. */
function expectSameDisk(
  actual: ReadonlyMap<string, string>,
  expected: ReadonlyMap<string, string>,
  what: string,
) {
  const shorten = (disk: ReadonlyMap<string, string>): string =>
    JSON.stringify([...disk].map(([path, root]) => [path.replaceAll(LONG_SUFFIX, '$1)'), root]).sort())
  if (shorten(actual) !== shorten(expected)) expectEqual(actual, expected, what)
}

const LONG_SUFFIX = /(\((?:conflict )?[a-z2-7]{8})[a-z2-7]*\)/g

const jsonValues = (map: ReadonlyMap<string, unknown>): Map<string, string> =>
  new Map([...map].map(([key, value]) => [key, JSON.stringify(value)]))

function expectEqual(
  actual: ReadonlyMap<string, string>,
  expected: ReadonlyMap<string, string>,
  what: string,
): void {
  const lines: string[] = []
  for (const key of new Set([...actual.keys(), ...expected.keys()])) {
    if (actual.get(key) !== expected.get(key))
      lines.push(`  ${key}: ${actual.get(key)}, expected ${expected.get(key)}`)
  }
  if (lines.length > 0) throw new Error(`${what}\n${lines.join('\n')}`)
}
