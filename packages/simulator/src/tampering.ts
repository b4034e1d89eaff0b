import { decodeMessage, encodeMessage, type Message, parseReplicaId } from '@tidemark/protocol'
import type { SimRandom } from './random.js'

/** What is done to a line, once: a frame comes out broken, or a sync point claims what nobody ever wrote. */
export type Lie = 'garble' | 'falsify'
export type End = 'device' | 'hub'

const NOBODY = parseReplicaId('00decea5ed000000')
/** The second byte of a frame says which message it is: not every one needs to be decoded. */
const OPEN_NUMBER = 2
const SYNC_POINT_NUMBER = 5
/** Bytes that begin long or forbidden values. */
const NASTY = [0x00, 0x80, 0x92, 0x9f, 0xc0, 0xc1, 0xc4, 0xc6, 0xcf, 0xd3, 0xd9, 0xdb, 0xdd, 0xdf, 0xff]
const TRIES = 30
const RANDOM_BYTES_MAX = 64

/** Somebody on a line who breaks the protocol. Whoever hears it must end the session, and be none the worse. */
export class Tampering {
  #planned: { readonly lie: Lie; readonly random: SimRandom } | undefined
  /** What was said that must be refused, and has not been yet. */
  #said: { readonly lie: Lie; readonly by: End } | undefined
  #complaint: string | undefined
  /** Whether this end is known to have something: an empty one trusts whoever comes first. */
  readonly #isBegun = { device: false, hub: false }

  /** @returns what was wrongly believed so far, if anything. */
  get complaint(): string | undefined {
    return this.#complaint ?? (this.#said && `${this.#said.lie} by ${this.#said.by}: the session goes on`)
  }

  plan(lie: Lie, random: SimRandom): void {
    this.#planned = { lie, random }
  }

  cancel(): void {
    this.#planned = undefined
  }

  /** The connection is over. */
  ended(): void {
    this.#said = undefined
  }

  /** @returns what comes out at the other end. */
  passed(frame: Uint8Array, by: End): Uint8Array {
    const saysWhatItHas = frame[1] === OPEN_NUMBER || (frame[1] === SYNC_POINT_NUMBER && !this.#isBegun[by])
    if (!saysWhatItHas && !this.#planned && !this.#said) return frame
    const message = decoded(frame)
    if (message?.type === 'open') this.#isBegun[by] = message.frontier.size > 0 && message.anew !== true
    if (message?.type === 'sync-point') this.#isBegun[by] = message.frontier.size > 0
    if (this.#said) {
      // A typed failure is an answer, whichever came first; a defect of ours is none.
      if (by !== this.#said.by && message?.type === 'fault' && message.code === 'INTERNAL')
        this.#complaint ??= `${this.#said.lie} by ${this.#said.by}: ${message.code}`
      return frame
    }
    const changed = this.#planned && this.#changed(frame, message, by, this.#planned)
    if (!changed || !this.#planned) return frame
    this.#said = { lie: this.#planned.lie, by }
    this.#planned = undefined
    return changed
  }

  #changed(
    frame: Uint8Array,
    message: Message | undefined,
    by: End,
    { lie, random }: { readonly lie: Lie; readonly random: SimRandom },
  ): Uint8Array | undefined {
    if (lie === 'garble') return garbled(frame, random)
    const isBegun = this.#isBegun[by === 'hub' ? 'device' : 'hub']
    if (message?.type !== 'sync-point' || !isBegun) return undefined
    return encodeMessage({ ...message, frontier: new Map([...message.frontier, [NOBODY, 3]]) })
  }
}

function decoded(frame: Uint8Array): Message | undefined {
  try {
    return decodeMessage(frame)
  } catch {
    return undefined
  }
}

/** Something that is no message, and looks as much like this one as possible. */
function garbled(frame: Uint8Array, random: SimRandom): Uint8Array {
  for (let i = 0; i < TRIES; i++) {
    const broken = mutated(frame, random)
    if (!decoded(broken)) return broken
  }
  return new Uint8Array()
}

/** Bytes like these, with one to four things changed; or any bytes. */
export function mutated(frame: Uint8Array, random: SimRandom): Uint8Array {
  if (random.chance(10)) return random.bytes(random.below(RANDOM_BYTES_MAX))
  const bytes = [...frame]
  for (let left = 1 + random.below(4); left > 0; left--) {
    const at = random.below(bytes.length + 1)
    // Most of what is interesting stands at the start: heads, numbers of fields, lengths.
    const near = random.chance(2) ? random.below(Math.min(bytes.length, 24) + 1) : at
    switch (random.below(6)) {
      case 0:
        bytes.length = at
        break
      case 1:
        bytes.splice(near, 1 + random.below(3))
        break
      case 2:
        bytes.splice(near, 0, ...random.bytes(1 + random.below(8)))
        break
      case 3:
        bytes.splice(near, 0, ...bytes.slice(near, near + 1 + random.below(16)))
        break
      case 4:
        if (near < bytes.length) bytes[near] = random.pick(NASTY)!
        break
      default:
        if (near < bytes.length) bytes[near]! ^= 1 << random.below(8)
    }
  }
  return Uint8Array.from(bytes)
}
