import { DecodeError, LimitError } from '../errors.js'
import { FRAME_BYTES_MAX } from '../limits.js'
import type { Message } from '../messages/message.js'
import * as blob from './blob-messages.js'
import * as control from './control-messages.js'
import * as exchange from './exchange-messages.js'
import type { RecordCodec } from './schema.js'
import { WireReader } from './wire-reader.js'
import { WireWriter } from './wire-writer.js'

type MessageOf<K extends Message['type']> = Extract<Message, { type: K }>
interface MessageType<K extends Message['type']> {
  /** First element of the frame. Never used again for something else. */
  readonly number: number
  readonly record: RecordCodec<MessageOf<K>>
}

/** Every message: its number and its fields. A frame is `[number, fields]`. */
export const MESSAGES: { readonly [K in Message['type']]: MessageType<K> } = {
  hello: { number: 1, record: control.helloRecord },
  open: { number: 2, record: exchange.openRecord },
  rewind: { number: 3, record: exchange.rewindRecord },
  entries: { number: 4, record: exchange.entriesRecord },
  'sync-point': { number: 5, record: exchange.syncPointRecord },
  fault: { number: 6, record: control.faultRecord },
  ping: { number: 7, record: control.pingRecord },
  pong: { number: 8, record: control.pongRecord },
  reject: { number: 9, record: exchange.rejectRecord },
  members: { number: 10, record: exchange.membersRecord },
  acks: { number: 11, record: exchange.acksRecord },
  digest: { number: 12, record: exchange.digestRecord },
  need: { number: 16, record: blob.needRecord },
  needed: { number: 17, record: blob.neededRecord },
  'grant-puts': { number: 18, record: blob.grantPutsRecord },
  grants: { number: 19, record: blob.grantsRecord },
  stored: { number: 20, record: blob.storedRecord },
  'stored-result': { number: 21, record: blob.storedResultRecord },
  'put-inline': { number: 22, record: blob.putInlineRecord },
  locate: { number: 23, record: blob.locateRecord },
  located: { number: 24, record: blob.locatedRecord },
  want: { number: 25, record: blob.wantRecord },
  hint: { number: 26, record: blob.hintRecord },
}

const BY_NUMBER = new Map(
  Object.entries(MESSAGES).map(([type, { number, record }]) => [
    number,
    { type, record: record as RecordCodec<object> },
  ]),
)

const WRITER = new WireWriter()

/**
 * One frame.
 *
 * @throws {LimitError} a list, a text or the frame is too long.
 * @throws {RangeError} {TypeError} not a message: a defect of the caller.
 */
export function encodeMessage(message: Message): Uint8Array {
  const { number, record } = MESSAGES[message.type]
  WRITER.reset()
  WRITER.arrayHeader(2)
  WRITER.uint(number)
  ;(record as RecordCodec<Message>).write(WRITER, message)
  const frame = WRITER.take()
  checkFrameLength(frame)
  return frame
}

/**
 * Any bytes give a message or a typed failure, in time and memory proportional to their length. Byte
 * strings in the message (`bytes` of inline chunks) are views of `frame`.
 *
 * @throws {DecodeError} {LimitError}
 */
export function decodeMessage(frame: Uint8Array): Message {
  checkFrameLength(frame)
  const reader = new WireReader(frame)
  if (reader.arrayHeader('frame', 2) !== 2) throw new DecodeError('frame: expected [number, fields]')
  const number = reader.uint('message number')
  const known = BY_NUMBER.get(number)
  if (known === undefined) throw new DecodeError(`message number ${number} is unknown`)
  const fields = known.record.read(reader, known.type)
  reader.end(known.type)
  return { type: known.type, ...fields } as Message
}

function checkFrameLength(frame: Uint8Array): void {
  if (frame.length <= FRAME_BYTES_MAX) return
  throw new LimitError(`frame of ${frame.length} bytes`, 'FRAME_BYTES_MAX', frame.length)
}
