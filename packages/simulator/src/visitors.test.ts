import {
  type BlobClient,
  type Connection,
  decodeMessage,
  encodeMessage,
  type Fault,
  type Message,
  parseSpaceName,
} from '@tidemark/protocol'
import { createMemoryConnectionPair, MemoryBlobStore } from '@tidemark/protocol/memory'
import { describe, expect, test } from 'vitest'
import { Adapters } from './adapters.js'
import { Babbler } from './babbler.js'
import { Contradictor, Witness } from './contradictor.js'
import { Flood } from './flood.js'
import { forge } from './forger.js'
import { hasher } from './hasher.js'
import { mustBeSaidAgain } from './mutation.js'
import { SimRandom } from './random.js'
import { replay } from './simulate.js'
import { Heard, type Visitor } from './stranger.js'
import { VirtualTime } from './virtual-time.js'

const SPACE = parseSpaceName('strange')
const PING: Message = { type: 'ping', nonce: 1 }

const fault = (code: string): Fault => ({ type: 'fault', code, message: '', retry: 'never' })

/** A hub that says one thing, whatever it hears. */
async function complaintOf(
  visit: (near: Connection) => Visitor,
  ...answers: (Message | 'hang up')[]
): Promise<string | undefined> {
  const { near, far } = createMemoryConnectionPair()
  far.open({ frame: () => undefined, closed: () => undefined })
  const visitor = visit(near)
  for (const answer of answers) {
    if (answer === 'hang up') far.close()
    else far.send(encodeMessage(answer))
  }
  await new Promise((resolve) => setImmediate(resolve))
  visitor.leave()
  return visitor.complaint
}

const babbler = (near: Connection): Visitor => {
  const heard = new Heard()
  heard.note(encodeMessage(PING))
  return new Babbler(near, SPACE, heard, new SimRandom(1))
}
const contradictor = (near: Connection): Contradictor => new Contradictor(near, SPACE, new SimRandom(1))

describe('[SE1] visitors of the hub', () => {
  test('what a babbler says last is never a message', async () => {
    for (let seed = 0; seed < 300; seed++) {
      const heard = new Heard()
      heard.note(encodeMessage(PING))
      const frames: Uint8Array[] = []
      const { near, far } = createMemoryConnectionPair()
      far.open({ frame: (bytes) => frames.push(bytes), closed: () => undefined })
      new Babbler(near, SPACE, heard, new SimRandom(seed))
      await new Promise((resolve) => setImmediate(resolve))
      expect(() => decodeMessage(frames.at(-1)!)).toThrow()
    }
  })

  test('a babbler complains of a hub that listens on, or answers with anything but what was wrong', async () => {
    expect(await complaintOf(babbler)).toContain('still listens')
    expect(await complaintOf(babbler, fault('INTERNAL'), 'hang up')).toContain('INTERNAL')
    expect(await complaintOf(babbler, fault('DECODE'), 'hang up')).toBeUndefined()
  })

  test('a contradictor wants to hear that a node has one kind', async () => {
    expect(await complaintOf(contradictor, fault('KIND_CHANGED'))).toContain('still listens')
    expect(await complaintOf(contradictor, fault('BAD_ENTRY'), 'hang up')).toContain('BAD_ENTRY')
    expect(await complaintOf(contradictor, fault('KIND_CHANGED'), 'hang up')).toBeUndefined()
  })

  test('a witness complains of what nobody said', async () => {
    const frames: Message[] = []
    const { near, far } = createMemoryConnectionPair()
    far.open({
      // The preamble is no message.
      frame: (bytes) => void (frames.length === 0 ? frames.push(PING) : frames.push(decodeMessage(bytes))),
      closed: () => undefined,
    })
    const { tale } = contradictor(near)
    await new Promise((resolve) => setImmediate(resolve))
    const said = frames.filter((message) => message.type === 'entries')
    const witness = (end: Connection): Visitor => new Witness(end, SPACE, tale, new SimRandom(2))
    const [first] = said
    const [entry] = first!.entries
    const changed = (change: object): Message => ({ ...first!, entries: [{ ...entry!, ...change }] })
    expect(await complaintOf(witness, ...said.slice(0, -1))).toBeUndefined()
    expect(await complaintOf(witness, said.at(-1)!)).toContain('mount')
    const extra = [{ key: 200, value: Uint8Array.of(1) }]
    expect(await complaintOf(witness, changed({ extra }))).toContain('nobody')
  })

  test('a flood complains when its answer does not come', async () => {
    const flood = (near: Connection): Visitor => new Flood(near, new SimRandom(1))
    expect(await complaintOf(flood)).toContain('does not answer')
    expect(await complaintOf(flood, { type: 'pong', nonce: 1 })).toBeUndefined()
  })

  test('a forger complains of a store that looks at nothing, and of no other', async () => {
    const { outside } = await Adapters.open({}, [])
    const complaints = async (careless: Partial<BlobClient> = {}, isTimeless = false): Promise<string[]> => {
      const found: string[] = []
      const time = new VirtualTime(outside)
      const startMs = time.nowMs()
      const now = (): number => (isTimeless ? startMs : time.nowMs())
      const store = new MemoryBlobStore({ sha256: hasher.sha256, now })
      const client = { ...store.client, ...careless }
      for (let dice = 0; dice < 5; dice++)
        await forge(store, client, time, new SimRandom(dice), (text) => found.push(text))
      await time.pass(3_600_000)
      return found
    }
    expect(await complaints()).toEqual([])
    const takesAnything = await complaints({ put: async () => undefined })
    expect(takesAnything).toContain('a forger: other bytes: done instead of BlobMismatchError')
    const readsAnything = await complaints({ get: async () => new Uint8Array(1) })
    expect(readsAnything).toContain('a forger: other bytes came back')
    const forgetsNothing = await complaints({}, true)
    expect(forgetsNothing).toContain('a forger: a grant that is over: done instead of GrantExpiredError')
  })

  test('what is read otherwise than it is written is a defect', () => {
    expect(() => mustBeSaidAgain(PING)).not.toThrow()
    expect(() => mustBeSaidAgain({ type: 'ping', nonce: 0.5 })).toThrow()
  })

  test('all of them harm nobody', async () => {
    for (let dice = 1; dice <= 6; dice++) {
      const { trace } = await replay(`
        seed ${dice}
        devices ann bob
        ann create a 1300000
        bob create b
        wait 3000
        contradictor ${dice}
        forger ${dice}
        stranger ${dice}
        bob age b -${10 ** dice}
        wait 3000
        crash hub ${dice}
        contradictor ${dice}
        wait 3600000
      `)
      expect(trace.at(-1)).toContain('"b"')
    }
  })
})
