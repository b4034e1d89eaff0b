import {
  bytesToHex,
  type Connection,
  EMPTY_CONTEXT,
  type ExtraField,
  encodeMessage,
  encodePreamble,
  type Loc,
  type Message,
  type NodeEntry,
  type NodeId,
  parseNodeId,
  parseReplicaId,
  type ReplicaId,
  ROOT,
  type RunId,
  type Sibling,
  type SpaceName,
} from '@tidemark/protocol'
import { decoded } from './mutation.js'
import type { SimRandom } from './random.js'
import { openOf, plainHello, type Visitor } from './stranger.js'
import { Verdict } from './verdict.js'

/** What the hub may answer: that a node has one kind, or that it cannot keep anything at the moment. */
const ANSWERS: ReadonlySet<string> = new Set(['KIND_CHANGED', 'NO_SPACE'])
/** Of a later minor version. */
const NEW_FIELD = 100
const RUN = '00000000000000aa' as RunId

const HLC = { ms: 1_700_000_000_000, counter: 0 }

/** What two said of one node. */
interface Tale {
  readonly id: NodeId
  readonly authors: readonly [ReplicaId, ReplicaId]
}

const hex = (random: SimRandom, bytes: number): string => bytesToHex(random.bytes(bytes))

/**
 * Somebody who says one node again and again: as it was, with fields of a later version in any order, with another
 * value for one write, with writes that have seen each other, and in the end as a node of another kind. The hub
 * keeps what each version and each order of hearing keeps, tells others just that, and refuses the last.
 */
export class Contradictor implements Visitor {
  readonly #verdict: Verdict
  readonly tale: Tale

  constructor(connection: Connection, space: SpaceName, random: SimRandom) {
    const author = (): ReplicaId => parseReplicaId(hex(random, 8))
    this.tale = { id: parseNodeId(hex(random, 16)), authors: [author(), author()] }
    this.#verdict = new Verdict(connection, 'a contradictor', ANSWERS)
    connection.send(encodePreamble())
    for (const message of [plainHello(random), openOf(space), ...told(this.tale, random)])
      connection.send(encodeMessage(message))
  }

  get complaint(): string | undefined {
    return this.#verdict.complaint
  }

  /** To hang up is up to the hub. */
  leave(): void {}
}

/** Hears in the same space what the hub makes of it. */
export class Witness implements Visitor {
  #complaint: string | undefined

  constructor(
    private readonly connection: Connection,
    space: SpaceName,
    tale: Tale,
    random: SimRandom,
  ) {
    connection.open({
      frame: (bytes) => {
        const message = decoded(bytes)
        if (message?.type !== 'entries') return
        for (const entry of message.entries) if (entry.id === tale.id) this.#complaint ??= defectOf(entry)
      },
      closed: () => undefined,
    })
    connection.send(encodePreamble())
    for (const message of [plainHello(random), openOf(space)]) connection.send(encodeMessage(message))
  }

  get complaint(): string | undefined {
    return this.#complaint
  }

  leave(): void {
    this.connection.close('heard enough')
  }
}

const field = (key: number, value: number): ExtraField => ({ key, value: Uint8Array.of(value) })

/** The same field twice: the greater bytes stay. */
const [LESSER, GREATER] = [field(NEW_FIELD, 5), field(NEW_FIELD, 9)]
const OTHER = field(NEW_FIELD + 1, 1)
/** What may come of them, whatever was heard until then. */
const EXTRAS: ReadonlySet<string> = new Set(
  [[], [LESSER], [GREATER], [OTHER], [LESSER, OTHER], [GREATER, OTHER]].map(textOf),
)

function textOf(extra: readonly ExtraField[] = []): string {
  return extra.map(({ key, value }) => `${key}:${bytesToHex(value)}`).join()
}

function defectOf({ kind, loc, extra }: NodeEntry): string | undefined {
  if (kind !== 'dir') return `a witness: the hub made a ${kind} of a directory`
  if (loc.length > 1) return 'a witness: two writes that have seen each other, or none that has'
  if (!EXTRAS.has(textOf(extra))) return `a witness: ${textOf(extra)} was said by nobody`
  return undefined
}

function told({ id, authors: [first, second] }: Tale, random: SimRandom): Message[] {
  const place = (name: string): Loc => ({ parent: ROOT, name, dead: false })
  const write = (rid: ReplicaId, name: string, seen?: ReplicaId): Sibling<Loc> => ({
    dot: { rid, seq: 1 },
    ctx: seen === undefined ? EMPTY_CONTEXT : { vector: new Map([[seen, 1]]), except: [] },
    hlc: HLC,
    value: place(name),
  })
  const entry = (sibling: Sibling<Loc>, ...extra: ExtraField[]): NodeEntry => ({
    id,
    kind: 'dir',
    loc: [sibling],
    content: [],
    attr: [],
    ...(extra.length > 0 ? { extra } : {}),
  })
  const plain = write(first, 'x')
  const sayings = [
    entry(plain),
    entry(plain, LESSER),
    entry(plain, GREATER, OTHER),
    entry(plain, LESSER),
    entry(plain, OTHER),
    // One write with two values: the database of its author went back.
    entry(write(first, 'y')),
    entry(write(first, 'w')),
    // Two that have seen each other.
    entry(write(first, 'x', second)),
    entry(write(second, 'x', first)),
  ]
  for (let i = sayings.length - 1; i > 0; i--) {
    const j = random.below(i + 1)
    ;[sayings[i], sayings[j]] = [sayings[j]!, sayings[i]!]
  }
  const last: NodeEntry = { ...entry(plain), kind: 'mount' }
  return [...sayings, last].map((each, i) => ({
    type: 'entries',
    channel: 1,
    run: RUN,
    lseq: i + 1,
    entries: [each],
    inline: [],
  }))
}
