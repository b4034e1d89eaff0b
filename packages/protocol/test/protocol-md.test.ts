import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { messageTexts, partsText } from '../src/codec/schema-text.js'
import {
  bytesToHex,
  checkPreamble,
  decodeMessage,
  decodeNodeEntry,
  encodePreamble,
  hexToBytes,
} from '../src/index.js'
import { SAMPLE_ENTRIES, SAMPLE_MESSAGES } from './samples.js'

const PAGE = readFileSync(new URL('../../../docs/protocol.md', import.meta.url), 'utf8')

/** Fenced blocks of one language by the name behind it: "```hex ping". */
function blocks(language: string): ReadonlyMap<string, string> {
  const found = new Map<string, string>()
  for (const [, name, body] of PAGE.matchAll(
    new RegExp(`^\`\`\`${language} (\\S+)\\n([^\`]*)\\n\`\`\`$`, 'gm'),
  )) {
    if (found.has(name!)) throw new Error(`two blocks: ${language} ${name}`)
    found.set(name!, body!)
  }
  return found
}

describe('docs/protocol.md', () => {
  const hex = blocks('hex')
  const cddl = blocks('cddl')
  const bytesOf = (name: string) => hexToBytes((hex.get(name) ?? '').replaceAll(/\s/g, ''))

  test('its CDDL is the schema', () => {
    expect(cddl.get('parts')).toBe(partsText())
    const messages = [...cddl].filter(([name]) => name !== 'parts')
    expect(new Map(messages)).toEqual(messageTexts())
  })

  test('its hex samples are one for the preamble, one for an entry and one for each message', () => {
    expect([...hex.keys()].sort()).toEqual(['node-entry', 'preamble', ...Object.keys(SAMPLE_MESSAGES)].sort())
  })

  for (const [type, message] of Object.entries(SAMPLE_MESSAGES)) {
    test(`its sample of ${type} is read as that message`, () => {
      expect(decodeMessage(bytesOf(type))).toEqual(message)
    })
  }

  test('its sample of an entry is read as that entry', () => {
    expect(decodeNodeEntry(bytesOf('node-entry'))).toEqual(SAMPLE_ENTRIES['deleted directory'])
  })

  test('its preamble is ours', () => {
    checkPreamble(bytesOf('preamble'))
    expect(bytesToHex(bytesOf('preamble'))).toBe(bytesToHex(encodePreamble()))
  })
})
