import {
  type Connection,
  encodeMessage,
  encodePreamble,
  FRAME_BYTES_MAX,
  type Hello,
  type Message,
  NO_SWEEP,
  parseDeviceId,
  type SpaceName,
} from '@tidemark/protocol'
import { changedTree } from './changed-tree.js'
import { readTree, writeTree } from './message-tree.js'
import { decoded, extended, mutated } from './mutation.js'
import type { SimRandom } from './random.js'

const FRAMES_MAX = 8
const KEPT_OF_EACH = 4

/** What was heard on lines: the last frames of each kind. */
export class Heard {
  readonly #frames = new Map<number, Uint8Array[]>()

  note(frame: Uint8Array): void {
    const kind = frame[1] ?? 0
    const frames = this.#frames.get(kind) ?? []
    this.#frames.set(kind, frames)
    frames.push(frame)
    if (frames.length > KEPT_OF_EACH) frames.shift()
  }

  any(random: SimRandom): Uint8Array {
    const frames = random.pick([...this.#frames.values()]) ?? []
    return random.pick(frames) ?? new Uint8Array()
  }
}

/** Somebody on a line to the hub whom nobody knows. */
export interface Visitor {
  /** What the hub did that it must not, if anything. */
  readonly complaint: string | undefined
  /** Nobody disturbs any more. */
  leave(): void
}

/**
 * Somebody who dials the hub, opens a space that nobody else uses, and says there what others said elsewhere,
 * as it was and changed in any way: a message that is none, or one that no honest peer sends.
 */
export class Stranger implements Visitor {
  #complaint: string | undefined

  constructor(
    private readonly connection: Connection,
    space: SpaceName,
    heard: Heard,
    random: SimRandom,
  ) {
    connection.open({
      frame: (bytes) => {
        const message = decoded(bytes)
        if (message?.type === 'fault' && message.code === 'INTERNAL')
          this.#complaint = 'a stranger: a defect was their answer'
      },
      closed: () => undefined,
    })
    const preamble = encodePreamble()
    connection.send(random.chance(20) ? mutated(preamble, random) : preamble)
    connection.send(encodeMessage(helloOf(random)))
    connection.send(encodeMessage(openOf(space)))
    for (let left = 1 + random.below(FRAMES_MAX); left > 0; left--) {
      const frame = heard.any(random)
      if (random.chance(2)) connection.send(keptApart(frame, space))
      connection.send(keptApart(changed(frame, random), space))
    }
  }

  get complaint(): string | undefined {
    return this.#complaint
  }

  leave(): void {
    this.connection.close('bored')
  }
}

/** A frame like this one: a message or none. */
export function changed(frame: Uint8Array, random: SimRandom): Uint8Array {
  if (random.chance(5)) return mutated(frame, random)
  if (!decoded(frame)) return frame
  return random.chance(6) ? extended(frame, random) : writeTree(changedTree(readTree(frame), random))
}

/** The space of others is theirs: a writer among them may do as it likes. */
function keptApart(frame: Uint8Array, space: SpaceName): Uint8Array {
  const message = decoded(frame)
  return message?.type === 'open' ? encodeMessage({ ...message, space }) : frame
}

export const plainHello = (random: SimRandom): Hello => ({
  type: 'hello',
  minor: [0, 0],
  features: [],
  required: [],
  frameBytesMax: FRAME_BYTES_MAX,
  device: parseDeviceId(Buffer.from(random.bytes(8)).toString('hex')),
  role: 'replica',
  agent: 'stranger',
})

function helloOf(random: SimRandom): Hello {
  const hello = plainHello(random)
  switch (random.below(12)) {
    case 0:
      return { ...hello, minor: [3, 9] }
    case 1:
      return { ...hello, features: ['telepathy'], required: ['telepathy'] }
    case 2:
      return { ...hello, minor: [0, 9], features: ['telepathy'], frameBytesMax: 1 << 16, token: 'guess' }
    default:
      return hello
  }
}

/** The first word of one that has nothing. */
export const openOf = (space: SpaceName): Message => ({
  type: 'open',
  space,
  channel: 1,
  frontier: new Map(),
  remembered: new Map(),
  met: new Map(),
  own: new Map(),
  floor: new Map(),
  acked: new Map(),
  number: 1,
  answers: 0,
  sweep: NO_SWEEP,
})
