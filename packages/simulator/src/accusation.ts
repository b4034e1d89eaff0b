import type { Fault, Message, Retry } from '@tidemark/protocol'
import type { SimRandom } from './random.js'

/** All that a hub of this version, or of another one, may say is wrong. */
const CODES = [
  'BAD_MAGIC',
  'VERSION',
  'FEATURE',
  'UNEXPECTED_MESSAGE',
  'BAD_ENTRY',
  'KIND_CHANGED',
  'FRONTIER_UNFOUNDED',
  'UNKNOWN_CHANNEL',
  'HEARTBEAT',
  'UNAUTHENTICATED',
  'FORBIDDEN',
  'NO_SUCH_SPACE',
  'DECODE',
  'LIMIT',
  'GRANT_EXPIRED',
  'STORE',
  'NO_SPACE',
  'CLOSED',
  'BLOB_NOT_FOUND',
  'CHUNKS_MISSING',
  'TELEPATHY',
]
const RETRIES: readonly Retry[] = ['never', 'later', 'other-source']
const RETRY_AFTER_MS_MAX = 20_000

const ANSWERS: ReadonlySet<string> = new Set(['needed', 'grants', 'stored-result', 'located'])

/** What a hub might say of what it was asked, or of the whole session, without any reason. */
export function accusation(of: Message, random: SimRandom): Fault {
  const code = random.pick(CODES)!
  return {
    type: 'fault',
    code,
    message: `nothing is wrong: ${code}`,
    retry: random.pick(RETRIES)!,
    ...(random.chance(2) ? { retryAfterMs: random.below(RETRY_AFTER_MS_MAX) } : {}),
    ...(isAnswer(of) ? { request: of.request } : {}),
  }
}

export const isAnswer = (message: Message): message is Extract<Message, { request: number }> =>
  ANSWERS.has(message.type)
