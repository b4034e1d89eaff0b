import { describe, expect, test } from 'vitest'
import { decodeMessage, encodeMessage } from './codec/message-codec.js'
import {
  AccessError,
  DatabaseError,
  DecodeError,
  GrantExpiredError,
  LimitError,
  PeerError,
  ProtocolError,
  StoreError,
  TransportError,
} from './errors.js'
import { errorToFault, faultToError } from './fault.js'

describe('faults', () => {
  test.each([
    new ProtocolError('FEATURE', 'm'),
    new ProtocolError('HEARTBEAT', 'm'),
    new AccessError('FORBIDDEN', 'm'),
    new AccessError('NO_SUCH_SPACE', 'm'),
    new DecodeError('m'),
    new GrantExpiredError('m'),
    new StoreError('m'),
    new LimitError('m', 'FRAME_BYTES_MAX', 5),
    new PeerError('QUOTA', 'm', 'later', 5_000),
  ])('$name arrives as the same class, with code, retry and message', (error) => {
    const back = faultToError(errorToFault(error))
    expect(back.constructor).toBe(error.constructor)
    expect([back.code, back.retry, back.message]).toEqual([error.code, error.retry, error.message])
  })

  test('an unknown code becomes a PeerError with the code kept', () => {
    const error = faultToError({ code: 'OF_LATER', message: 'm', retry: 'other-source', retryAfterMs: 3 })
    expect(error).toBeInstanceOf(PeerError)
    expect(error).toMatchObject({
      code: 'PEER_ERROR',
      peerCode: 'OF_LATER',
      retry: 'other-source',
      retryAfterMs: 3,
    })
    expect(faultToError({ code: 'constructor', message: '', retry: 'never' })).toBeInstanceOf(PeerError)
  })

  test('a local error that is no peer business keeps its code', () => {
    expect(errorToFault(new TransportError('m'))).toMatchObject({ code: 'TRANSPORT', retry: 'later' })
  })

  test('a defect is told without its details, with its scope', () => {
    expect(errorToFault(new Error('/home/secret'), { channel: 3, request: 9 })).toEqual({
      type: 'fault',
      code: 'INTERNAL',
      message: 'internal error',
      retry: 'later',
      channel: 3,
      request: 9,
    })
  })

  test('a database that fails is told without its place', () => {
    const fault = errorToFault(new DatabaseError('NO_SPACE', '/home/secret: no space'))
    expect(fault).toMatchObject({ code: 'NO_SPACE', retry: 'later' })
    expect(fault.message).not.toContain('secret')
  })

  test('any message fits the wire', () => {
    for (const message of ['é'.repeat(5_000), `${'\u{1f600}'.repeat(3_000)}`, 'half \ud800 a pair']) {
      const fault = errorToFault(new DecodeError(message))
      expect(decodeMessage(encodeMessage(fault))).toEqual(fault)
    }
  })
})
