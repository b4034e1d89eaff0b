import {
  cutText,
  type DeviceId,
  DOTS_MAX,
  type Dot,
  type Loc,
  maxHlc,
  type NodeEntry,
  type NodeId,
  ProtocolError,
  type Refusal,
  ROOT,
  type SpaceName,
  type Vector,
} from '@tidemark/protocol'
import { checkIncoming, dropIgnored, siblingsOf, stampsOf } from '../core/incoming.js'
import { newWrites } from '../core/new-writes.js'
import { takeBack } from '../core/take-back.js'
import type { Version } from '../core/view-entry.js'
import { chosenLoc } from '../core/visibility.js'
import { decodeJson, encodeJson } from './json-row.js'
import type { SpaceRejoin } from './space-rejoin.js'
import type { SpaceStore } from './space-store.js'
import type { Transaction } from './transaction.js'

/** What a hub is asked about before it takes an entry. */
export interface HubWrite {
  readonly space: SpaceName
  /** Whoever sent it; not always its author. */
  readonly device: DeviceId
  /** The node with those of its new siblings that change what the hub holds; at least one. */
  readonly write: NodeEntry
  /** What the hub holds of it. */
  readonly held: NodeEntry | undefined
  /**
   * The names of the directories above it and its own, outermost first, as far as the hub knows them with this
   * frame: deleted ones count where they stood last.
   */
  path(): Promise<readonly string[]>
}

/** Why a hub does not take an entry. Words of more than 256 characters are cut. */
export interface RefusalReason {
  /** A stable word for programs. */
  readonly code: string
  /** For people. */
  readonly message: string
}

/** Decides what a hub takes. Asked again for what is sent again. @returns `undefined`: it is taken. */
export type Refuse = (write: HubWrite) => Promise<RefusalReason | undefined> | RefusalReason | undefined

/** What was written here and a hub refused: it has been taken back. */
export interface Refused extends RefusalReason {
  readonly node: NodeId
  /** The last name of the node that was refused, or that it has. */
  readonly name: string
  /** What took back a node of which the hub has nothing: it is refused until another place covers this one. */
  readonly tombstone?: Dot
  /** The contents that were refused. */
  readonly versions: readonly Pick<Version, 'root' | 'height' | 'size'>[]
  /** Roots of what they had replaced, which is there again. */
  readonly restored: readonly string[]
}

/** Say what was refused of a node, until a binder has dealt with it, or a program was told, and deletes them. */
export const refusedRows = {
  key: (node: string): string => `refused/${node}`,
  /** '0' is the character after '/'. */
  range: { gte: 'refused/', lt: 'refused0' },
  decode: (row: Uint8Array): Refused => decodeJson<Refused>(row)!,
} as const

/** What a hub refuses of one space, and what a replica does about it. */
export class SpaceRefusals {
  constructor(
    private readonly store: SpaceStore,
    /** What is truly here, and with it what is being learnt again. */
    private readonly vectors: { frontier(): Vector; known(): Vector },
    private readonly rejoin: Pick<SpaceRejoin, 'write'>,
  ) {}

  /** For a hub: those of these entries that it does not take. */
  async judge(device: DeviceId, entries: readonly NodeEntry[], refuse: Refuse): Promise<readonly Refusal[]> {
    const { received, options } = this.store
    const { space } = options
    const frontier = this.vectors.frontier()
    const known = await received.nodes(
      options.storage,
      entries.map(({ id }) => id),
    )
    const paths = new Paths(this.store, entries)
    const refusals: Refusal[] = []
    for (const [i, entry] of entries.entries()) {
      const held = known[i]
      const write = newWrites(dropIgnored(entry, held, frontier), held)
      if (!write) continue
      const reason = await refuse({ space, device, write, held, path: () => paths.of(entry) })
      if (!reason) continue
      // As many as a message names: the rest is judged when it comes again.
      const dots = siblingsOf(write)
        .map(({ dot }) => dot)
        .slice(0, DOTS_MAX)
      const words = { code: cutText(reason.code), message: cutText(reason.message) }
      refusals.push({ node: entry.id, dots, ...words, ...(held ? { accepted: held } : {}) })
    }
    return refusals
  }

  /**
   * For whoever sent them: everything that still shows a refused write is as the hub has it.
   *
   * @throws {ProtocolError} the hub says that it has what cannot be. As `SpaceRejoin.write`.
   */
  async takeBack(refusals: readonly Refusal[]): Promise<readonly TakenBack[]> {
    const { store } = this
    return this.rejoin.write(async (txn) => {
      const change = store.vectors.change()
      const writer = store.writer(txn, change)
      const held = await store.received.nodes(
        txn,
        refusals.map(({ node }) => node as NodeId),
      )
      const taken: TakenBack[] = []
      let { hlc } = store.counters
      for (const [i, refusal] of refusals.entries()) {
        const node = held[i]
        const { accepted, dots, code, message } = refusal
        if (accepted) {
          if (accepted.id !== refusal.node || (node && accepted.kind !== node.kind)) {
            throw new ProtocolError('BAD_REJECT', `the hub says that ${refusal.node} is another node`)
          }
          checkIncoming(accepted, store.incarnations.current, this.vectors.known())
          // Named by what is written now; not held.
          for (const { dot, ctx } of siblingsOf(accepted)) {
            change.raiseMet(new Map([[dot.rid, dot.seq]]))
            change.raiseMet(ctx.vector)
          }
          for (const stamp of stampsOf(accepted)) hlc = maxHlc(hlc, stamp)
        }
        const written = node && takeBack(node, dots, accepted, writer)
        if (written) taken.push({ written, refused: refusedOf(node, refusal, { code, message }, written) })
      }
      const joined = await store.received.join(
        txn,
        taken.map(({ written }) => written),
      )
      const moved = await store.appendLog(txn, joined.nodes)
      const { dirty } = store.counters
      if (store.options.mode !== 'relay') for (const { refused } of taken) await this.#keep(txn, refused)
      return {
        value: taken,
        sync: true,
        vectors: change,
        counters: {
          lseq: moved.lseq,
          dirty: (await store.dirtyTracker?.joined(txn, joined, dirty)) ?? dirty,
          hlc: maxHlc(hlc, writer.hlc),
        },
        change: { view: joined.changes },
      }
    })
  }

  /** With what was refused of the node before, and nobody has dealt with. */
  async #keep(txn: Transaction, refused: Refused): Promise<void> {
    const key = refusedRows.key(refused.node)
    const before = await txn.get(this.store.rowPrefix + key)
    const known = before && refusedRows.decode(before)
    const versions = [...(known?.versions ?? []), ...refused.versions]
    const restored = [...(known?.restored ?? []), ...refused.restored]
    this.store.putRows(txn, [{ type: 'put', key, value: encodeJson({ ...refused, versions, restored }) }])
  }
}

export interface TakenBack {
  /** The new siblings of the node. */
  readonly written: NodeEntry
  readonly refused: Refused
}

function refusedOf(
  node: NodeEntry,
  { dots, accepted }: Refusal,
  reason: RefusalReason,
  { loc, content }: NodeEntry,
): Refused {
  const isRefused = ({ dot }: NodeEntry['loc' | 'content'][number]): boolean =>
    dots.some(({ rid, seq }) => rid === dot.rid && seq === dot.seq)
  const place = node.loc.find(isRefused) ?? chosenLoc(node)
  const versions = node.content
    .filter(isRefused)
    .flatMap(({ value: { root, height, size } }) => (root === undefined ? [] : { root, height, size }))
  const restored = content.flatMap(({ value }) => value.root ?? [])
  const tombstone = accepted ? undefined : loc.find(({ value }) => value.dead)
  return {
    ...reason,
    node: node.id,
    name: place?.value.name ?? '',
    ...(tombstone ? { tombstone: tombstone.dot } : {}),
    versions,
    restored,
  }
}

/** Where nodes stand, by what a hub holds and what is about to come: it has no view. */
class Paths {
  readonly #coming = new Map<NodeId, NodeEntry>()
  /** Read once a frame: most of it stands in few directories. */
  readonly #places = new Map<NodeId, Pick<Loc, 'parent' | 'name'> | undefined>()

  constructor(
    private readonly store: SpaceStore,
    entries: readonly NodeEntry[],
  ) {
    for (const entry of entries) this.#coming.set(entry.id, entry)
  }

  async of(entry: NodeEntry): Promise<readonly string[]> {
    const names: string[] = []
    const seen = new Set<NodeId>([ROOT])
    let place = placeOf(entry) ?? (await this.#placeHeld(entry.id))
    for (let at = entry.id; place && !seen.has(at); place = await this.#place(at)) {
      seen.add(at)
      names.push(place.name)
      at = place.parent
    }
    return names.reverse()
  }

  async #place(id: NodeId) {
    if (id === ROOT) return undefined
    if (!this.#places.has(id)) {
      const coming = this.#coming.get(id)
      this.#places.set(id, (coming && placeOf(coming)) ?? (await this.#placeHeld(id)))
    }
    return this.#places.get(id)
  }

  async #placeHeld(id: NodeId) {
    const { received, options } = this.store
    const [node] = await received.nodes(options.storage, [id])
    return node && placeOf(node)
  }
}

function placeOf(node: NodeEntry): Pick<Loc, 'parent' | 'name'> | undefined {
  const value = chosenLoc(node)?.value
  // Not the rest of the sibling: it is kept for a whole frame.
  return value && { parent: value.parent, name: value.name }
}
