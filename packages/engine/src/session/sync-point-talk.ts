import {
  DOTS_MAX,
  joinVectors,
  type RunId,
  type SyncPoint,
  type Vector,
  vectorAbove,
} from '@tidemark/protocol'
import type { SpaceSnapshot } from '../database/space-snapshot.js'

/** What a sync point says, and what of it the peer had not said before. */
export interface HeardPoint extends SyncPoint {
  /** Of `frontier`; absent in the first one after its `open`, which says all. */
  readonly risen?: Vector
}

type Said = Pick<SyncPoint, 'frontier' | 'met' | 'floor'>
type Heard = Pick<SyncPoint, 'frontier' | 'floor'>

/** The ends of rounds. Each names what has risen since the one before, however many replica ids there ever were. */
export class SyncPointTalk {
  readonly #channel: number
  /** In the last one of this side. */
  #said: Said | undefined
  #saidLost = 0
  /** What the peer's add up to. */
  #heard: Heard | undefined

  constructor(channel: number) {
    this.#channel = channel
  }

  /** The peer said OPEN: both ends begin with all that they have. */
  restart(): void {
    this.#said = undefined
    this.#heard = undefined
  }

  /**
   * Says the end of a round, if there is something to say: several times where one message cannot name all that is
   * lost.
   *
   * @param hasEntries The round had some.
   */
  async tell(
    { lseq, frontier, met, floor }: SpaceSnapshot,
    { run, lost, hasEntries }: { readonly run: RunId; readonly lost: Vector; readonly hasEntries: boolean },
    send: (point: SyncPoint) => Promise<void>,
  ): Promise<void> {
    const said = this.#said
    const risen = said ? vectorAbove(frontier, said.frontier) : frontier
    const isLostNews = !said || lost.size !== this.#saidLost
    if (said && !hasEntries && risen.size === 0 && !isLostNews) return
    this.#said = { frontier, met, floor }
    this.#saidLost = lost.size
    const point = {
      type: 'sync-point',
      channel: this.#channel,
      run,
      lseq,
      frontier: risen,
      met: said ? vectorAbove(met, said.met) : met,
      floor: said ? vectorAbove(floor, said.floor) : floor,
    } as const
    const dots = isLostNews ? Array.from(lost, ([rid, seq]) => ({ rid, seq })) : []
    let from = 0
    do {
      await send({ ...point, lost: dots.slice(from, from + DOTS_MAX) })
      from += DOTS_MAX
    } while (from < dots.length)
  }

  /** @returns it with all that the peer has and had collected. What it met is as it was said. */
  hear(point: SyncPoint): HeardPoint {
    const before = this.#heard
    const { frontier, floor } = point
    this.#heard = before
      ? { frontier: joinVectors(before.frontier, frontier), floor: joinVectors(before.floor, floor) }
      : { frontier, floor }
    return { ...point, ...this.#heard, ...(before ? { risen: frontier } : {}) }
  }
}
