import { createHash, type Hash } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import type { IncomingMessage } from 'node:http'
import { Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'

export interface ReceivedBody {
  /** Bytes. */
  readonly length: number
  readonly sha256: Buffer
  readonly md5: Buffer
}

/**
 * Writes a body to `path` and hashes it on the way.
 * @param cutAfterBytes The connection ends there.
 * @throws what the connection or the disk says.
 */
export async function receiveBody(
  message: IncomingMessage,
  path: string,
  cutAfterBytes = Number.POSITIVE_INFINITY,
): Promise<ReceivedBody> {
  const hashes: Hash[] = [createHash('sha256'), createHash('md5')]
  let length = 0
  const look = new Transform({
    transform(part: Buffer, _encoding, done) {
      length += part.length
      for (const hash of hashes) hash.update(part)
      if (length < cutAfterBytes) return done(null, part)
      message.socket.destroy()
      done(new Error('cut by a fault'))
    },
  })
  await pipeline(message, look, createWriteStream(path))
  const [sha256, md5] = hashes.map((hash) => hash.digest()) as [Buffer, Buffer]
  return { length, sha256, md5 }
}
