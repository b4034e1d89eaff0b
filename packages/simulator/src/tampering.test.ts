import { decodeMessage, encodeMessage, type Message, parseReplicaId } from '@tidemark/protocol'
import { describe, expect, test } from 'vitest'
import { SimRandom } from './random.js'
import { replay } from './simulate.js'
import { openOf } from './stranger.js'
import { Tampering } from './tampering.js'

const RID = parseReplicaId('0000000000000001')
const OPEN = { ...openOf('default' as never), frontier: new Map([[RID, 1]]) } as Message
const SYNC_POINT: Message = {
  type: 'sync-point',
  channel: 1,
  run: '0000000000000002' as never,
  lseq: 1,
  frontier: new Map([[RID, 1]]),
  met: new Map([[RID, 1]]),
  lost: [],
  floor: new Map(),
}
const REJECT: Message = {
  type: 'reject',
  channel: 1,
  refusals: [
    { node: '0'.repeat(32) as never, dots: [{ rid: RID, seq: 1 }], code: 'REFUSED_BY_POLICY', message: '' },
  ],
}

describe('[SE1] a line on which the protocol is broken', () => {
  test('what is garbled is never a message, whatever was decided', () => {
    for (let dice = 0; dice < 300; dice++) {
      const tampering = new Tampering()
      tampering.plan('garble', new SimRandom(dice))
      const frame = tampering.passed(encodeMessage(OPEN), 'device')
      expect(() => decodeMessage(frame)).toThrow()
    }
  })

  test('a peer that goes on talking, or that answers with a defect of its own, is complained about', () => {
    const tampering = new Tampering()
    tampering.plan('garble', new SimRandom(1))
    tampering.passed(encodeMessage(OPEN), 'device')
    expect(tampering.complaint).toContain('goes on')
    tampering.passed(encodeMessage({ type: 'fault', code: 'INTERNAL', message: '', retry: 'later' }), 'hub')
    tampering.ended()
    expect(tampering.complaint).toContain('INTERNAL')
  })

  test('a false frontier is told to an end that has something, and to no empty one', () => {
    const tampering = new Tampering()
    tampering.plan('falsify', new SimRandom(1))
    const point = encodeMessage(SYNC_POINT)
    expect(tampering.passed(point, 'hub')).toEqual(point)
    tampering.passed(encodeMessage(OPEN), 'device')
    const told = decodeMessage(tampering.passed(point, 'hub'))
    expect(told).toMatchObject({ type: 'sync-point', frontier: { size: 2 } })
    expect(tampering.complaint).toContain('goes on')
  })

  test('nor to one that has only what it wrote since it began anew: it trusts whoever comes first', () => {
    const tampering = new Tampering()
    tampering.plan('falsify', new SimRandom(1))
    const point = encodeMessage(SYNC_POINT)
    const own = new Map([[parseReplicaId('0000000000000003'), 1]])
    tampering.passed(encodeMessage({ ...OPEN, frontier: own } as Message), 'device')
    tampering.passed(encodeMessage(OPEN), 'hub')
    expect(tampering.passed(point, 'hub')).toEqual(point)
    tampering.passed(encodeMessage(OPEN), 'device')
    expect(tampering.passed(point, 'hub')).not.toEqual(point)
  })

  test('a false frontier that was dropped, because its hearer began anew, is told again', () => {
    const tampering = new Tampering()
    tampering.plan('falsify', new SimRandom(1))
    const point = encodeMessage(SYNC_POINT)
    tampering.passed(encodeMessage(OPEN), 'device')
    tampering.passed(point, 'hub')
    tampering.passed(encodeMessage({ ...OPEN, anew: true } as Message), 'device')
    expect(tampering.complaint).toBeUndefined()
    tampering.passed(encodeMessage(OPEN), 'device')
    tampering.passed(point, 'hub')
    expect(tampering.complaint).toContain('goes on')
  })

  test('a false frontier that was not read, because the hub refused what came before it, is told again', () => {
    const tampering = new Tampering()
    tampering.plan('falsify', new SimRandom(1))
    const point = encodeMessage(SYNC_POINT)
    const open = encodeMessage(OPEN)
    for (const end of ['hub', 'device'] as const) tampering.passed(open, end)
    tampering.passed(point, 'device')
    expect(tampering.complaint).toContain('goes on')
    tampering.passed(encodeMessage(REJECT), 'hub')
    expect(tampering.complaint).toBeUndefined()
    expect(tampering.passed(point, 'device')).toEqual(point)
    tampering.passed(open, 'device')
    tampering.passed(point, 'device')
    expect(tampering.complaint).toContain('goes on')
  })

  test('an accusation takes the place of an answer, or ends the session', () => {
    const answer: Message = { type: 'needed', request: 7, chunks: [] }
    const codes = new Set<string>()
    for (let dice = 0; dice < 200; dice++) {
      const tampering = new Tampering()
      tampering.plan('accuse', new SimRandom(dice))
      const told = decodeMessage(tampering.passed(encodeMessage(answer), 'hub'))
      expect(told).toMatchObject({ type: 'fault', request: 7 })
      expect(tampering.complaint).toBeUndefined()
      if (told.type === 'fault') codes.add(told.code)
      tampering.plan('accuse', new SimRandom(dice))
      if (decodeMessage(tampering.passed(encodeMessage(OPEN), 'hub')).type === 'fault')
        expect(tampering.complaint).toContain('goes on')
    }
    expect(codes.size).toBeGreaterThan(15)
  })

  test('broken frames, false frontiers and accusations of either end harm nobody', async () => {
    for (const lie of ['garble', 'falsify', 'accuse']) {
      for (let dice = 1; dice <= 6; dice++) {
        const { trace } = await replay(`
          seed ${dice}
          devices ann bob
          ann create a
          bob create b
          wait 3000
          ${lie} ann ${dice}
          ann edit a
          bob edit b
          wait 40
          ${lie} bob ${dice}
          bob create c
          ann remove b
          wait 3000
        `)
        expect(trace.at(-1)).toContain('"c"')
      }
    }
  })
})
