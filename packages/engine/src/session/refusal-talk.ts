import {
  type DeviceId,
  dotKey,
  encodeNodeEntry,
  type NodeEntry,
  ProtocolError,
  type Refusal,
  type Reject,
} from '@tidemark/protocol'
import { siblingsOf } from '../core/incoming.js'
import type { SpaceDatabase } from '../database/space-database.js'
import type { Refuse, Refused } from '../database/space-refusals.js'

/** What one `reject` says at most, about, so that it fits into a frame. */
const REJECT_BYTES_MAX = 1024 * 1024
/** Bytes of a refusal without the entry, about. */
const REFUSAL_BYTES = 512

/**
 * How often a hub may refuse, in one session, what takes something of one node back. It may have taken the same
 * write from somebody else meanwhile, and then takes nothing that hides it: that is taken back like anything else.
 */
const AGAIN_MAX = 16
/** Dots that are remembered for that, about. */
const REMEMBERED_MAX = 10_000

export interface RefusalTalkOptions {
  readonly database: SpaceDatabase
  readonly peer: DeviceId
  /** What this side, a hub, does not take. */
  readonly refuse?: Refuse | undefined
  /** What the hub refused has been taken back. */
  onRefused?(refused: readonly Refused[]): void
}

export interface Judgement {
  readonly taken: readonly NodeEntry[]
  /** Empty: all is taken. */
  readonly refusals: readonly Refusal[]
}

/** What a hub and a replica say to each other about entries that the hub does not take. */
export class RefusalTalk {
  /** What was written here to take something back, as dots; how often a hub refused such a write of a node. */
  readonly #takingBack = new Set<string>()
  readonly #again = new Map<string, number>()

  constructor(private readonly options: RefusalTalkOptions) {}

  /** Whether there is anything that is not taken. */
  get judges(): boolean {
    return this.options.refuse !== undefined
  }

  /** For a replica: whether this takes something back, and is not refused. */
  takesBack(entry: NodeEntry): boolean {
    return this.#takingBack.size > 0 && siblingsOf(entry).some(({ dot }) => this.#takingBack.has(dotKey(dot)))
  }

  /**
   * For a hub: what is taken of a frame, and what not. Of many refusals only as many are said as fit into a frame;
   * what else is refused is not taken either, and is judged again when it comes again.
   */
  async judge(entries: readonly NodeEntry[]): Promise<Judgement> {
    const { database, peer, refuse } = this.options
    if (!refuse) return { taken: entries, refusals: [] }
    const refused = await database.refusals.judge(peer, entries, refuse)
    if (refused.length === 0) return { taken: entries, refusals: [] }
    const nodes = new Set<string>(refused.map(({ node }) => node))
    let bytes = 0
    const refusals = refused.filter(({ accepted }, i) => {
      bytes += REFUSAL_BYTES + (accepted ? encodeNodeEntry(accepted).length : 0)
      return i === 0 || bytes <= REJECT_BYTES_MAX
    })
    return { taken: entries.filter(({ id }) => !nodes.has(id)), refusals }
  }

  /**
   * For a replica: takes back what the hub refused.
   *
   * @throws {ProtocolError} the hub refuses again and again what takes something back: that would have no end.
   */
  async takeBack({ refusals }: Reject): Promise<void> {
    for (const { node, dots, message } of refusals) {
      if (!dots.some((dot) => this.#takingBack.has(dotKey(dot)))) continue
      const count = (this.#again.get(node) ?? 0) + 1
      if (count > AGAIN_MAX) {
        throw new ProtocolError('BAD_REJECT', `the hub refuses what it holds of ${node}: ${message}`)
      }
      this.#again.set(node, count)
    }
    const taken = await this.options.database.refusals.takeBack(refusals)
    if (this.#takingBack.size > REMEMBERED_MAX) {
      this.#takingBack.clear()
      this.#again.clear()
    }
    for (const { written } of taken)
      for (const { dot } of siblingsOf(written)) this.#takingBack.add(dotKey(dot))
    if (taken.length > 0) this.options.onRefused?.(taken.map(({ refused }) => refused))
  }
}
