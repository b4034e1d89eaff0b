import { blobGrantRecord, grantRecord } from './blob-messages.js'
import { cursorRecord, refusalRecord } from './exchange-messages.js'
import { MESSAGES } from './message-codec.js'
import {
  attrRecord,
  attrSibling,
  contentRecord,
  contentSibling,
  locRecord,
  locSibling,
  nodeEntryRecord,
} from './node-entry-codec.js'
import type { RecordCodec } from './schema.js'

/** The types that are not records, in CDDL (RFC 8610), over the data model that MessagePack shares. */
const PRELUDE = `
channel       = 1..1024
space-name    = tstr .regexp "[a-z0-9][a-z0-9._-]{0,63}"
id8           = bstr .size 8            ; replica, run, device
id16          = bstr .size 16           ; node
id32          = bstr .size 32           ; chunk, blob: SHA-256
ids32         = bstr                    ; ids of 32 bytes, one after the other
dot           = bstr                    ; replica (8 bytes), seq (varint) from 1
dots          = bstr                    ; dots, ascending by replica, then seq
loose-dots    = bstr                    ; dots in any order; seq may be 0
vector        = bstr                    ; dots, ascending, one a replica; seq may be 0
context       = bstr                    ; count (varint), so many vector entries with seq from 1, then dots: the exceptions
hlc           = [ms: 0..281474976710655, counter: 0..4294967295]
minor-range   = [min: uint, max: uint]
inline-chunk  = [id: id32, bytes: bstr]
encoded-entry = bstr                    ; a node-entry, encoded
blob-sizes    = bstr                    ; per blob: id (32 bytes), length (varint)
chunk-places  = bstr                    ; per chunk: id (32 bytes), then varints: blob, offset, storedLength, codec, length
wanted-versions = bstr                  ; per content: root (32 bytes), then varints: height, size
hinted-chunks = bstr                    ; per chunk: id (32 bytes), length (varint)
headers       = [* tstr]                ; name, value, name, value …, ascending by name
`.trim()

/** One record as CDDL. */
export function recordText({ name, fields }: Pick<RecordCodec<unknown>, 'name' | 'fields'>): string {
  const lines = fields.map(({ key, name: field, codec, presence, absent }) => {
    const mark = presence === 'required' ? '  ' : '? '
    const note = presence === 'default' ? ` (absent: ${String(absent)})` : ''
    return `  ${mark}${key} => ${codec.cddl}, ; ${field}${note}`
  })
  return [`${name} = {`, ...lines, '  * uint => any', '}'].join('\n')
}

/** Every record that stands inside others, parts first. */
export function partsText(): string {
  const records: readonly Pick<RecordCodec<unknown>, 'name' | 'fields'>[] = [
    locRecord,
    locSibling,
    contentRecord,
    contentSibling,
    attrRecord,
    attrSibling,
    nodeEntryRecord,
    cursorRecord,
    refusalRecord,
    grantRecord,
    blobGrantRecord,
  ]
  return [PRELUDE, ...records.map(recordText)].join('\n\n')
}

/** One message per name: its frame and its fields. */
export function messageTexts(): ReadonlyMap<string, string> {
  return new Map(
    Object.entries(MESSAGES).map(([type, { number, record }]) => [
      type,
      `${type}-frame = [${number}, ${type}]\n${recordText(record)}`,
    ]),
  )
}

/** The whole schema: what its fingerprint is taken of. */
export const schemaText = (): string => [partsText(), ...messageTexts().values()].join('\n\n')
