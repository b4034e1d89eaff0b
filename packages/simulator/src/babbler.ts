import {
  type Connection,
  encodeMessage,
  encodePreamble,
  FRAME_BYTES_MAX,
  type SpaceName,
} from '@tidemark/protocol'
import { decoded, garbled, mustBeSaidAgain } from './mutation.js'
import type { SimRandom } from './random.js'
import { changed, type Heard, openOf, plainHello, type Visitor } from './stranger.js'
import { Verdict } from './verdict.js'

const TRIES = 12
const TOO_LONG_ONE_IN = 200
/** What the hub may answer: what was wrong, or that it cannot keep anything at the moment. */
const ANSWERS: ReadonlySet<string> = new Set(['DECODE', 'LIMIT', 'NO_SPACE'])

/**
 * Somebody who introduces themselves to the hub and then says one thing that is no message, as near to one as
 * possible. The hub must say what it was, and hang up.
 */
export class Babbler implements Visitor {
  readonly #verdict: Verdict

  constructor(connection: Connection, space: SpaceName, heard: Heard, random: SimRandom) {
    this.#verdict = new Verdict(connection, 'a babbler', ANSWERS)
    connection.send(encodePreamble())
    connection.send(encodeMessage(plainHello(random)))
    if (random.chance(2)) connection.send(encodeMessage(openOf(space)))
    connection.send(nonsense(heard, random))
  }

  get complaint(): string | undefined {
    return this.#verdict.complaint
  }

  /** It has said its one thing: to hang up is up to the hub. */
  leave(): void {}
}

/** No message, but nearly what was heard. */
function nonsense(heard: Heard, random: SimRandom): Uint8Array {
  if (random.chance(TOO_LONG_ONE_IN)) return new Uint8Array(FRAME_BYTES_MAX + 1)
  for (let i = 0; i < TRIES; i++) {
    const frame = changed(heard.any(random), random)
    const message = decoded(frame)
    if (message === undefined) return frame
    mustBeSaidAgain(message)
  }
  return garbled(heard.any(random), random)
}
