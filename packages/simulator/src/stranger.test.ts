import { decodeMessage, encodeMessage, type Message } from '@tidemark/protocol'
import { describe, expect, test } from 'vitest'
import { changedTree } from './changed-tree.js'
import { readTree, writeTree } from './message-tree.js'
import { decoded, extended, mutated } from './mutation.js'
import { SimRandom } from './random.js'
import { replay } from './simulate.js'

const PING: Message = { type: 'ping', nonce: 300 }
const HELLO: Message = {
  type: 'hello',
  minor: [0, 70_000],
  features: ['a', 'b'.repeat(40)],
  required: [],
  frameBytesMax: 4_194_304,
  device: '00000000000000ff' as never,
  role: 'replica',
  agent: 'é'.repeat(20),
}

describe('[SE1] strangers at the hub', () => {
  test('harm nobody, whatever they say', async () => {
    for (let dice = 1; dice <= 10; dice++) {
      await replay(`
        seed ${dice}
        devices ann bob
        ann create a 70000
        bob create b
        wait 2000
        stranger ${dice}
        stranger ${dice + 100}
        bob edit b
        stranger ${dice + 200}
        wait 1000
      `)
    }
  })

  test('[DC4] a line that speaks a later minor version is a line like others', async () => {
    for (let dice = 1; dice <= 6; dice++) {
      const { trace } = await replay(`
        seed ${dice}
        devices ann bob
        extend ann ${dice}
        ann create a 70000
        wait 1000
        extend bob ${dice}
        bob edit a
        wait 1000
        extend ann ${dice}
        ann mkdir d
        wait 1000
      `)
      expect(trace.at(-1)).toContain('"d":"/"')
    }
  })

  test('a message of a later version is a message, with the same fields', () => {
    for (let seed = 0; seed < 500; seed++) {
      const frame = extended(encodeMessage(PING), new SimRandom(seed))
      expect(frame.length).toBeGreaterThan(encodeMessage(PING).length)
      expect(decodeMessage(frame)).toMatchObject(PING)
    }
  })

  test('a message, read as a tree and written again, is the same bytes', () => {
    for (const message of [PING, HELLO]) {
      const frame = encodeMessage(message)
      expect(writeTree(readTree(frame))).toEqual(frame)
    }
  })

  test('a changed tree is now a message, now none', () => {
    const random = new SimRandom(1)
    const tree = readTree(encodeMessage(HELLO))
    const made = Array.from({ length: 200 }, () => decoded(writeTree(changedTree(tree, random))))
    const messages = made.filter((message) => message !== undefined).length
    expect(messages).toBeGreaterThan(20)
    expect(messages).toBeLessThan(180)
  })

  test('mutations of one frame are many', () => {
    const random = new SimRandom(1)
    const made = Array.from({ length: 200 }, () => mutated(encodeMessage(PING), random).join())
    expect(new Set(made).size).toBeGreaterThan(100)
  })
})
