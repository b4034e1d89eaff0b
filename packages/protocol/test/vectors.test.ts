import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import {
  bytesToHex,
  decodeContext,
  decodeMessage,
  decodeNodeEntry,
  encodeNodeEntry,
  hexToBytes,
} from '../src/index.js'
import { toJson, vectorFiles } from './vectors/vectors.js'

/**
 * The vectors in test/vectors/*.json, for readers in any language (one is test/vectors/check.py). They are
 * written anew by `npx vitest run packages/protocol/test/vectors.test.ts -u`; a changed vector is a
 * changed wire: see src/protocol-version.ts.
 */
describe('vectors', () => {
  for (const [file, content] of Object.entries(vectorFiles())) {
    test(`${file} is what this code writes`, async () => {
      await expect(`${JSON.stringify(content, null, 2)}\n`).toMatchFileSnapshot(`vectors/${file}`)
    })
  }

  const readFile = (file: string) =>
    JSON.parse(readFileSync(new URL(`vectors/${file}`, import.meta.url), 'utf8')) as never

  test('every message of messages.json is read as its value', () => {
    for (const { hex, value } of readFile('messages.json') as { hex: string; value: unknown }[]) {
      expect(toJson(decodeMessage(hexToBytes(hex)))).toEqual(value)
    }
  })

  test('every entry of node-entries.json is read as its value and written back byte for byte', () => {
    for (const { hex, value } of readFile('node-entries.json') as { hex: string; value: unknown }[]) {
      const entry = decodeNodeEntry(hexToBytes(hex))
      expect(toJson(entry)).toEqual(value)
      expect(bytesToHex(encodeNodeEntry(entry))).toBe(hex)
    }
  })

  test('every context of contexts.json is read as its value', () => {
    type Part = { hex: string; value: unknown }
    for (const { union, made } of readFile('contexts.json') as { union: Part; made: Part }[]) {
      for (const { hex, value } of [union, made])
        expect(toJson(decodeContext(hexToBytes(hex)))).toEqual(value)
    }
  })
})
