import { encodeMessage, joinVectors, type Message, parseReplicaId, type Vector } from '@tidemark/protocol'
import { accusation, isAnswer } from './accusation.js'
import { decoded, extended, garbled } from './mutation.js'
import type { SimRandom } from './random.js'

/**
 * What is done to a line, once: a frame comes out broken, a sync point claims what nobody ever wrote, or a fault
 * stands where an answer, or anything else, was.
 */
export type Lie = 'garble' | 'falsify' | 'accuse'
export type End = 'device' | 'hub'

/** Frames in a row that are as a later minor version might say them. */
const EXTENDED_FRAMES = 20

const NOBODY = parseReplicaId('00decea5ed000000')
/** The second byte of a frame says which message it is: not every one needs to be decoded. */
const OPEN_NUMBER = 2
const REJECT_NUMBER = 9
const SYNC_POINT_NUMBER = 5

/** Somebody on a line who breaks the protocol. Whoever hears it must end the session, and be none the worse. */
export class Tampering {
  #planned: { readonly lie: Lie; readonly random: SimRandom } | undefined
  /** What was said that must be refused, and has not been yet. */
  #said: { readonly lie: Lie; readonly by: End; readonly random: SimRandom } | undefined
  #complaint: string | undefined
  #extending: { readonly random: SimRandom; left: number } | undefined
  /** What each end last said that it has; `undefined`: it begins. */
  readonly #has: Record<End, Vector | undefined> = { device: undefined, hub: undefined }
  /** The hub has refused something: what the device says before its next OPEN is not read. */
  #isRefused = false

  /** @returns what was wrongly believed so far, if anything. */
  get complaint(): string | undefined {
    return this.#complaint ?? (this.#said && `${this.#said.lie} by ${this.#said.by}: the session goes on`)
  }

  plan(lie: Lie, random: SimRandom): void {
    this.#planned = { lie, random }
  }

  /** The next frames come with fields that nobody here knows: no reason to do anything. */
  extend(random: SimRandom): void {
    this.#extending = { random, left: EXTENDED_FRAMES }
  }

  cancel(): void {
    this.#planned = undefined
    this.#extending = undefined
  }

  /** The connection is over. */
  ended(): void {
    this.#said = undefined
    this.#isRefused = false
  }

  /**
   * Whether both ends are known to have something in common: one that has nothing, or nothing but what it wrote
   * since it began anew, trusts whoever comes first.
   */
  get #isBegun(): boolean {
    const { device, hub } = this.#has
    return device !== undefined && [...device.keys()].some((rid) => hub?.has(rid))
  }

  /** @returns what comes out at the other end. */
  passed(frame: Uint8Array, by: End): Uint8Array {
    const saysWhatItHas = frame[1] === OPEN_NUMBER || (frame[1] === SYNC_POINT_NUMBER && !this.#isBegun)
    const isReject = frame[1] === REJECT_NUMBER
    if (!saysWhatItHas && !isReject && !this.#planned && !this.#said) return this.#extended(frame)
    const message = decoded(frame)
    if (message?.type === 'open') this.#has[by] = message.anew ? undefined : message.frontier
    if (message?.type === 'sync-point')
      this.#has[by] = joinVectors(this.#has[by] ?? new Map(), message.frontier)
    if (message?.type === 'reject') this.#isRefused = true
    if (message?.type === 'open' && by === 'device') this.#isRefused = false
    const isUnread = message?.type === 'reject' || (message?.type === 'open' && message.anew)
    if (this.#said && by !== this.#said.by && isUnread) this.#sayAgain()
    if (this.#said) {
      // A typed failure is an answer, whichever came first; a defect of ours is none.
      if (by !== this.#said.by && message?.type === 'fault' && message.code === 'INTERNAL')
        this.#complaint ??= `${this.#said.lie} by ${this.#said.by}: ${message.code}`
      return frame
    }
    const changed = this.#planned && this.#changed(frame, message, by, this.#planned)
    if (!changed || !this.#planned) return this.#extended(frame)
    // A request that fails is no reason to end a session.
    const isOfRequest = this.#planned.lie === 'accuse' && message !== undefined && isAnswer(message)
    if (!isOfRequest) this.#said = { ...this.#planned, by }
    this.#planned = undefined
    return changed
  }

  /** Whoever begins anew, or refuses, drops what was under way to it: it has not judged a claim in there. */
  #sayAgain(): void {
    if (this.#said?.lie !== 'falsify') return
    this.#planned = this.#said
    this.#said = undefined
  }

  #extended(frame: Uint8Array): Uint8Array {
    if (!this.#extending || this.#extending.left-- <= 0) return frame
    return extended(frame, this.#extending.random)
  }

  /** Mostly an answer: half of those who are to be accused wait for one. */
  #accused(message: Message | undefined, random: SimRandom): Uint8Array | undefined {
    if (message === undefined || (!isAnswer(message) && random.chance(2))) return undefined
    return encodeMessage(accusation(message, random))
  }

  #changed(
    frame: Uint8Array,
    message: Message | undefined,
    by: End,
    { lie, random }: { readonly lie: Lie; readonly random: SimRandom },
  ): Uint8Array | undefined {
    if (lie === 'garble') return garbled(frame, random)
    if (lie === 'accuse') return this.#accused(message, random)
    if (message?.type !== 'sync-point' || !this.#isBegun) return undefined
    if (this.#isRefused && by === 'device') return undefined
    return encodeMessage({ ...message, frontier: new Map([...message.frontier, [NOBODY, 3]]) })
  }
}
