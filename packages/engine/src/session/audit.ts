import { type Digest, type Message, type Vector, vectorAtMost } from '@tidemark/protocol'
import type { SpaceDatabase } from '../database/space-database.js'

export interface AuditOptions {
  readonly database: SpaceDatabase
  readonly channel: number
  /** This side answers, and decides; the other one asks. */
  readonly isHub: boolean
  send(message: Message): Promise<void>
  /** The two showed different things twice in a row: both send everything. */
  repair(): Promise<void>
  /** The peer shows something else: to be asked again soon. */
  onDiffers(): void
}

/**
 * Two ends that hold the same writes must show the same. They compare one number, now and then; twice in a row
 * another one is a defect, and both send what they have once more (design 5.3).
 */
export class Audit {
  readonly #options: AuditOptions
  #differed = false

  constructor(options: AuditOptions) {
    this.#options = options
  }

  /** Says what this side shows. */
  async tell(): Promise<void> {
    await this.#options.send(await this.#own())
  }

  async heard({ frontier, digest }: Digest): Promise<void> {
    const { database, isHub, send, repair, onDiffers } = this.#options
    // At another state there is nothing to compare, and it costs nothing to know that.
    if (!database.isWhole || !isSame(frontier, database.frontier)) return
    const own = await this.#own()
    if (!isSame(frontier, own.frontier)) return
    const differs = own.digest !== digest
    if (!isHub) {
      if (differs) onDiffers()
      return
    }
    const isSecond = this.#differed
    this.#differed = differs && !isSecond
    if (!differs) return
    await (isSecond ? repair() : send(own))
  }

  async #own(): Promise<Digest> {
    const { database, channel } = this.#options
    const snapshot = await database.snapshot()
    try {
      const { frontier } = snapshot
      return { type: 'digest', channel, frontier, digest: await snapshot.digest() }
    } finally {
      await snapshot.close()
    }
  }
}

const isSame = (a: Vector, b: Vector): boolean => vectorAtMost(a, b) && vectorAtMost(b, a)
