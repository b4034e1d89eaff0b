import { concatBytes, equalBytes, utf8Encode } from './bytes.js'
import { ProtocolError } from './errors.js'
import { PROTOCOL_MAJOR } from './protocol-version.js'

const MAGIC = utf8Encode('TIDEMARK')

/** First frame of each direction: the magic and the major version, one byte. */
export const encodePreamble = (): Uint8Array => concatBytes([MAGIC, Uint8Array.of(PROTOCOL_MAJOR)])

/** @throws {ProtocolError} BAD_MAGIC: not a Tidemark peer; VERSION: one that speaks another major. */
export function checkPreamble(frame: Uint8Array): void {
  if (frame.length !== MAGIC.length + 1 || !equalBytes(frame.subarray(0, MAGIC.length), MAGIC)) {
    throw new ProtocolError('BAD_MAGIC', 'the other end does not speak Tidemark')
  }
  const major = frame[MAGIC.length]
  if (major === PROTOCOL_MAJOR) return
  throw new ProtocolError(
    'VERSION',
    `the other end speaks protocol ${major}, this one ${PROTOCOL_MAJOR}: update the older`,
  )
}
