import {
  bytesToHex,
  contextHas,
  encodeContext,
  encodeMessage,
  encodeNodeEntry,
  makeContext,
  unionContexts,
} from '../../src/index.js'
import { SAMPLE_CONTEXTS, SAMPLE_ENTRIES, SAMPLE_MESSAGES } from '../samples.js'

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json }

/** Maps become objects, byte strings hex: what a reader in any language can compare. */
export function toJson(value: unknown): Json {
  if (
    value === null ||
    typeof value === 'boolean' ||
    typeof value === 'number' ||
    typeof value === 'string'
  ) {
    return value
  }
  if (value instanceof Uint8Array) return bytesToHex(value)
  if (Array.isArray(value)) return value.map(toJson)
  if (value instanceof Map)
    return Object.fromEntries([...value].map(([key, item]) => [String(key), toJson(item)]))
  if (typeof value === 'object') {
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, toJson(item)]))
  }
  throw new TypeError(`no JSON for ${typeof value}`)
}

const RIDS = [...new Set(SAMPLE_CONTEXTS.flatMap((sample) => sample.unobserved.map((dot) => dot.rid)))]
const DOTS = RIDS.flatMap((rid) => [1, 2, 3, 4, 5, 6].map((seq) => ({ rid, seq })))

/** File name → content, as the generator writes them and the test expects them. */
export function vectorFiles(): { readonly [file: string]: Json } {
  return {
    'messages.json': Object.values(SAMPLE_MESSAGES).map((message) => ({
      type: message.type,
      hex: bytesToHex(encodeMessage(message)),
      value: toJson(message),
    })),
    'node-entries.json': Object.entries(SAMPLE_ENTRIES).map(([name, entry]) => ({
      name,
      hex: bytesToHex(encodeNodeEntry(entry)),
      value: toJson(entry),
    })),
    'contexts.json': SAMPLE_CONTEXTS.map((sample) => {
      const union = sample.parts.reduce(unionContexts, makeContext([], [], []))
      const made = makeContext(sample.parts, sample.dots, sample.unobserved)
      return {
        ...(toJson({ ...sample }) as { [key: string]: Json }),
        union: { hex: bytesToHex(encodeContext(union)), value: toJson(union) },
        made: { hex: bytesToHex(encodeContext(made)), value: toJson(made) },
        has: DOTS.filter((dot) => contextHas(made, dot)).map((dot) => toJson(dot)),
      }
    }),
  }
}
