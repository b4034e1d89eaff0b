import { DecodeError } from '../errors.js'
import { type DeviceId, REPLICA_ID_BYTES } from '../ids.js'
import { FEATURES_MAX, TEXT_BYTES_MAX, TOKEN_BYTES_MAX } from '../limits.js'
import type { Fault, Ping, Pong } from '../messages/control.js'
import type { Hello } from '../messages/hello.js'
import { channelCodec } from './exchange-messages.js'
import { idCodec } from './flat.js'
import { type Codec, choice, list, optional, record, required, text, uint } from './schema.js'

const minorRange: Codec<readonly [number, number]> = {
  cddl: 'minor-range',
  write: (writer, [min, max]) => {
    writer.arrayHeader(2)
    writer.uint(min)
    writer.uint(max)
  },
  read: (reader, label) => {
    if (reader.arrayHeader(label, 2) !== 2) throw new DecodeError(`${label}: expected [min, max]`)
    const min = reader.uint(label)
    const max = reader.uint(label)
    if (min > max) throw new DecodeError(`${label}: min is above max`)
    return [min, max]
  },
}

const features = list(text(TEXT_BYTES_MAX), FEATURES_MAX)

export const helloRecord = record<Hello>(
  'hello',
  {
    minor: required(1, minorRange),
    features: required(2, features),
    required: required(3, features),
    frameBytesMax: required(4, uint()),
    device: required(5, idCodec<DeviceId>(REPLICA_ID_BYTES)),
    role: required(6, choice(['replica', 'hub'] as const)),
    token: optional(7, text(TOKEN_BYTES_MAX)),
    agent: required(8, text(TEXT_BYTES_MAX)),
  },
  { unknown: 'ignore' },
)

export const faultRecord = record<Fault>(
  'fault',
  {
    code: required(1, text(TEXT_BYTES_MAX)),
    message: required(2, text(TEXT_BYTES_MAX)),
    retry: required(3, choice(['never', 'later', 'other-source'] as const)),
    retryAfterMs: optional(4, uint()),
    channel: optional(5, channelCodec),
    request: optional(6, uint()),
  },
  { unknown: 'ignore' },
)

export const pingRecord = record<Ping>('ping', { nonce: required(1, uint()) }, { unknown: 'ignore' })
export const pongRecord = record<Pong>('pong', { nonce: required(1, uint()) }, { unknown: 'ignore' })
