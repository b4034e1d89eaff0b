import { createHash, randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { BuiltPack, Hasher, PackedChunk, PackFormat } from '@tidemark/engine'
import {
  type BlobId,
  type ChunkId,
  ChunkMismatchError,
  DecodeError,
  parseBlobId,
  parseChunkId,
  parseSpaceName,
} from '@tidemark/protocol'
import { afterEach } from 'vitest'
import type { Logger, LogLevel } from '../src/index.js'
import { createLogger } from '../src/index.js'

export const SPACE = parseSpaceName('photos')
export const MUSIC = parseSpaceName('music')

export interface Chunk {
  readonly id: ChunkId
  readonly bytes: Uint8Array
}

export function chunkOf(length: number): Chunk {
  const bytes = randomBytes(length)
  return { id: parseChunkId(sha256(bytes)), bytes }
}

export const hasher: Hasher = {
  sha256: (bytes) => createHash('sha256').update(bytes).digest(),
  sha256Async: async (bytes) => createHash('sha256').update(bytes).digest(),
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

/** The smallest format that keeps the port's promises: count, then (id, length) each, then the bytes. */
export const simplePacks: Pick<PackFormat, 'verify' | 'build' | 'plain'> = {
  verify: async (bytes) => {
    const buffer = Buffer.from(bytes)
    if (buffer.length < 4 || buffer.length < 4 + 36 * buffer.readUInt32BE(0)) throw new DecodeError('no pack')
    const chunks: PackedChunk[] = []
    let offset = 4 + 36 * buffer.readUInt32BE(0)
    for (let at = 4; at < 4 + 36 * buffer.readUInt32BE(0); at += 36) {
      const id = parseChunkId(buffer.subarray(at, at + 32).toString('hex'))
      const length = buffer.readUInt32BE(at + 32)
      const actual = sha256(buffer.subarray(offset, offset + length))
      if (actual !== id) throw new ChunkMismatchError(id, actual)
      chunks.push({ id, offset, storedLength: length, codec: 0, length })
      offset += length
    }
    return chunks
  },
  build: async (chunks) => packOf(chunks),
  plain: async (stored) => stored,
}

/** @param claimed Says other ids than those of the bytes: a pack that lies. */
export function packOf(chunks: readonly Chunk[], claimed?: readonly ChunkId[]): BuiltPack {
  const header = Buffer.alloc(4 + 36 * chunks.length)
  header.writeUInt32BE(chunks.length)
  let offset = header.length
  const packed = chunks.map(({ id, bytes }, i) => {
    header.write(claimed?.[i] ?? id, 4 + 36 * i, 'hex')
    header.writeUInt32BE(bytes.length, 4 + 36 * i + 32)
    offset += bytes.length
    return { id, offset: offset - bytes.length, storedLength: bytes.length, codec: 0, length: bytes.length }
  })
  const bytes = Buffer.concat([header, ...chunks.map((chunk) => chunk.bytes)])
  return { id: parseBlobId(sha256(bytes)), bytes, chunks: packed }
}

export function ids(chunks: readonly Chunk[]): ChunkId[] {
  return chunks.map(({ id }) => id)
}

export function blobIds(packs: readonly BuiltPack[]): BlobId[] {
  return packs.map(({ id }) => id)
}

export interface LogLine {
  readonly level: LogLevel
  readonly event: string
  readonly [fact: string]: unknown
}

/** A log that is kept, parsed back from its lines. */
export function keptLog(): { logger: Logger; lines: LogLine[] } {
  const lines: LogLine[] = []
  const write = (line: string) => void lines.push(JSON.parse(line) as LogLine)
  return { logger: createLogger({ clock: { nowMs: () => 0 }, level: 'debug', write }), lines }
}

const directories: string[] = []
export async function temporaryDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'tidemark-hub-'))
  directories.push(directory)
  return directory
}
afterEach(async () => {
  for (const directory of directories.splice(0)) await rm(directory, { recursive: true, force: true })
})

/** A hub's running time that stands still. */
export const uptime = { nowMs: () => 1 }
