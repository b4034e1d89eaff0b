import { DecodeError } from '@tidemark/protocol'
import { unshared } from '../adapters/unshared.js'
import type { Compressor } from '../ports/compressor.js'

/** Bytes for the stream at once: it may make a thousand times as many of them before anybody can stop it. */
const PART_BYTES = 8 * 1024

/** DEFLATE by the streams of the platform. */
export const webCompressor: Compressor = {
  deflate: async (bytes) => {
    if (bytes.length < 2) return undefined
    const into = new Uint8Array(bytes.length - 1)
    const length = await pass(bytes, new CompressionStream('deflate-raw'), into)
    return length === undefined ? undefined : into.subarray(0, length)
  },
  inflate: async (bytes, length) => {
    const into = new Uint8Array(length)
    let made: number | undefined
    try {
      made = await pass(bytes, new DecompressionStream('deflate-raw'), into)
    } catch (error) {
      throw new DecodeError('deflate: no stream', { cause: error })
    }
    if (made !== length) throw new DecodeError('deflate: another length than was said')
    return into
  },
}

/** @returns bytes that came, `undefined` where they are more than `into` has room for. @throws what the stream does. */
async function pass(
  bytes: Uint8Array,
  { readable, writable }: CompressionStream | DecompressionStream,
  into: Uint8Array,
): Promise<number | undefined> {
  const [reader, writer] = [readable.getReader(), writable.getWriter()]
  const write = async (): Promise<void> => {
    for (let at = 0; at < bytes.length; at += PART_BYTES) {
      // Not before what the last part made was read.
      await writer.ready
      await writer.write(unshared(bytes.subarray(at, at + PART_BYTES)))
    }
    await writer.close()
  }
  const written = write()
  // The reader sees it too.
  written.catch(() => undefined)
  let length = 0
  for (;;) {
    const { done, value } = await reader.read()
    if (done) break
    if (length + value.length > into.length) {
      await reader.cancel()
      return undefined
    }
    into.set(value, length)
    length += value.length
  }
  await written
  return length
}
