import { bytesToHex, CHUNK_BYTES_MAX, CHUNK_ID_BYTES } from '@tidemark/protocol'
import type { ChunkList } from '../chunking/chunk-list.js'
import type { Hasher } from '../ports/hasher.js'
import type { KeyValueOp, KeyValueReader } from '../ports/key-value-store.js'

/** Rows: `chunked/<file>/<offset>` the chunks from there on, `chunked-file/<file>` the file's number. */
const WINDOW_PREFIX = 'chunked/'
const FILE_PREFIX = 'chunked-file/'
/** Files that are remembered; the one that was begun first is forgotten. */
const FILES_MAX = 32
/** id (32), length (4), big-endian. */
const CHUNK_ROW_BYTES = CHUNK_ID_BYTES + 4

export interface UploadJournalParts {
  readonly database: {
    readonly rows: KeyValueReader
    writeRows(ops: readonly KeyValueOp[], options: { sync: boolean }): Promise<void>
  }
  readonly hasher: Hasher
}

/**
 * What is known of large files that are being chunked, by fingerprint: after a crash an unchanged file is
 * not read and hashed again from its start. What of it is stored is the hub's to say.
 */
export class UploadJournal {
  /** Files by name, in the order in which they were begun. */
  #files: Promise<Map<string, number>> | undefined

  constructor(private readonly parts: UploadJournalParts) {}

  /** @param fingerprint Whatever changes when the bytes do. */
  async open(fingerprint: string): Promise<FileJournal> {
    const { database, hasher } = this.parts
    const name = bytesToHex(hasher.sha256(new TextEncoder().encode(fingerprint)))
    const files = await this.#note(name).catch((error: unknown) => {
      // What was read in vain, or noted and not written, is read again.
      this.#files = undefined
      throw error
    })
    const known = new Map<number, ChunkList>()
    for await (const page of database.rows.range(windowsOf(name))) {
      for (const [key, value] of page) {
        const chunks = decodeChunks(value)
        if (chunks) known.set(Number.parseInt(key.slice(key.lastIndexOf('/') + 1), 16), chunks)
      }
    }
    return {
      known: (offset) => known.get(offset),
      add: (offset, chunks) =>
        database.writeRows([{ type: 'put', key: windowKey(name, offset), value: encodeChunks(chunks) }], {
          sync: false,
        }),
      clear: async () => {
        files.delete(name)
        await database.writeRows(await removal(database.rows, name), { sync: false })
      },
    }
  }

  /** @returns the files, this one among them. */
  async #note(name: string): Promise<Map<string, number>> {
    const { database } = this.parts
    this.#files ??= readFiles(database.rows)
    const files = await this.#files
    if (files.has(name)) return files
    const number = Math.max(0, ...files.values()) + 1
    files.set(name, number)
    const ops: KeyValueOp[] = [{ type: 'put', key: FILE_PREFIX + name, value: encodeNumber(number) }]
    const oldest = files.size > FILES_MAX ? [...files.keys()][0]! : undefined
    if (oldest !== undefined) {
      files.delete(oldest)
      ops.push(...(await removal(database.rows, oldest)))
    }
    await database.writeRows(ops, { sync: false })
    return files
  }
}

/** What is known of one file. */
export interface FileJournal {
  /** The chunks from this offset on, if they are known. There is a boundary at `offset`. */
  known(offset: number): ChunkList | undefined
  /** Not durable at once: what a crash forgets is read again. */
  add(offset: number, chunks: ChunkList): Promise<void>
  /** Forgets all of it. */
  clear(): Promise<void>
}

async function readFiles(rows: KeyValueReader): Promise<Map<string, number>> {
  const found: [string, number][] = []
  for await (const page of rows.range({ gte: FILE_PREFIX, lt: `${FILE_PREFIX}~` })) {
    for (const [key, value] of page) found.push([key.slice(FILE_PREFIX.length), decodeNumber(value)])
  }
  return new Map(found.sort(([, a], [, b]) => a - b))
}

async function removal(rows: KeyValueReader, name: string): Promise<KeyValueOp[]> {
  const ops: KeyValueOp[] = [{ type: 'del', key: FILE_PREFIX + name }]
  for await (const page of rows.range(windowsOf(name)))
    for (const [key] of page) ops.push({ type: 'del', key })
  return ops
}

const windowsOf = (name: string) => ({ gte: `${WINDOW_PREFIX}${name}/`, lt: `${WINDOW_PREFIX}${name}/~` })

const windowKey = (name: string, offset: number): string =>
  `${WINDOW_PREFIX}${name}/${offset.toString(16).padStart(14, '0')}`

const encodeNumber = (number: number): Uint8Array => new TextEncoder().encode(String(number))
const decodeNumber = (bytes: Uint8Array): number => Number(new TextDecoder().decode(bytes)) || 0

function encodeChunks({ count, ids, lengths }: ChunkList): Uint8Array {
  const bytes = new Uint8Array(count * CHUNK_ROW_BYTES)
  const view = new DataView(bytes.buffer)
  for (let i = 0; i < count; i++) {
    bytes.set(ids.subarray(i * CHUNK_ID_BYTES, (i + 1) * CHUNK_ID_BYTES), i * CHUNK_ROW_BYTES)
    view.setUint32(i * CHUNK_ROW_BYTES + CHUNK_ID_BYTES, lengths[i]!)
  }
  return bytes
}

/** @returns `undefined` for a row that says nothing: what it was about is read again. */
function decodeChunks(bytes: Uint8Array): ChunkList | undefined {
  const count = bytes.length / CHUNK_ROW_BYTES
  if (count < 1 || !Number.isInteger(count)) return undefined
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const ids = new Uint8Array(count * CHUNK_ID_BYTES)
  const lengths = new Uint32Array(count)
  for (let i = 0; i < count; i++) {
    const at = i * CHUNK_ROW_BYTES
    ids.set(bytes.subarray(at, at + CHUNK_ID_BYTES), i * CHUNK_ID_BYTES)
    lengths[i] = view.getUint32(at + CHUNK_ID_BYTES)
    if (lengths[i]! < 1 || lengths[i]! > CHUNK_BYTES_MAX) return undefined
  }
  return { count, ids, lengths }
}
