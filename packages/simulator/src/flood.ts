import { type Connection, encodeMessage, encodePreamble } from '@tidemark/protocol'
import { decoded } from './mutation.js'
import type { SimRandom } from './random.js'
import { plainHello, type Visitor } from './stranger.js'

/** Together more than a line takes at once. */
const FRAMES = 20
const FRAME_BYTES = 100_000
const LAST_NONCE = 1
/** A field of `ping` that no version of ours knows. */
const NEW_FIELD = 0x7f

const LONG_PING = longPing()

/** As a later version may say it: with a field more. */
function longPing(): Uint8Array {
  const ping = encodeMessage({ type: 'ping', nonce: 0 })
  // [number, {1: nonce}]: a byte string more, with a length of four bytes.
  const head = [NEW_FIELD, 0xc6, ...[24, 16, 8, 0].map((shift) => (FRAME_BYTES >>> shift) & 0xff)]
  const frame = new Uint8Array(ping.length + head.length + FRAME_BYTES)
  frame.set([...ping, ...head])
  frame[2] = 0x82
  return frame
}

/** Somebody who says more at once than a line takes, waits as the line asks, and then wants an answer. */
export class Flood implements Visitor {
  #isAnswered = false
  #isClosed = false

  constructor(connection: Connection, random: SimRandom) {
    connection.open({
      frame: (bytes) => {
        const message = decoded(bytes)
        if (message?.type === 'pong' && message.nonce === LAST_NONCE) {
          this.#isAnswered = true
          connection.close('answered')
        }
      },
      closed: () => {
        this.#isClosed = true
      },
    })
    void this.#speak(connection, random)
  }

  async #speak(connection: Connection, random: SimRandom): Promise<void> {
    connection.send(encodePreamble())
    connection.send(encodeMessage(plainHello(random)))
    for (let left = FRAMES; left > 0; left--) if (!connection.send(LONG_PING)) await connection.drained()
    await connection.drained()
    connection.send(encodeMessage({ type: 'ping', nonce: LAST_NONCE }))
  }

  get complaint(): string | undefined {
    return this.#isAnswered || this.#isClosed ? undefined : 'a flood: the hub does not answer'
  }

  /** It waits for its answer. */
  leave(): void {}
}
