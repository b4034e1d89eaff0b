import { type DeviceId, FRAME_BYTES_MAX, type Hello, PROTOCOL_MINORS } from '@tidemark/protocol'

/** What this implementation says first: everything that it speaks, nothing that it insists on. */
export function makeHello(who: {
  readonly device: DeviceId
  readonly role: Hello['role']
  readonly agent: string
  readonly token?: string | undefined
}): Hello {
  const { device, role, agent, token } = who
  return {
    type: 'hello',
    minor: PROTOCOL_MINORS,
    features: [],
    required: [],
    frameBytesMax: FRAME_BYTES_MAX,
    device,
    role,
    agent,
    ...(token === undefined ? {} : { token }),
  }
}
