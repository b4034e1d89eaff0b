import { NAME_BYTES_MAX, utf8Length } from '@tidemark/protocol'
import { expect, test } from 'vitest'
import type { FileStat } from '../ports/file-system.js'
import type { SyncedRow } from '../rows.js'
import { EntryNames, numbered } from './entry-names.js'

const NFD = 'e\u0301.txt'
const NFC = '\u00e9.txt'
const stat = {} as FileStat
const names = (found: string[], rows: string[] = []) =>
  new EntryNames(
    new Map(found.map((name) => [name, stat])),
    new Map(rows.map((name) => [name, {} as SyncedRow])),
  )

test('a local name is shown in NFC', () => {
  expect(names([NFD]).entryName(NFD)).toBe(NFC)
})

test('of two local names with one NFC form the second is shown under a suffix', () => {
  const twins = names([NFD, NFC])
  expect(twins.entryName(NFC)).toBe(NFC)
  expect(twins.entryName(NFD)).toBe('\u00e9 (2).txt')
})

test('the one that is synced already keeps the name', () => {
  const twins = names([NFD, NFC], [NFD])
  expect(twins.entryName(NFD)).toBe(NFC)
  expect(twins.entryName(NFC)).toBe('\u00e9 (2).txt')
})

test('a numbered name fits the limit of names', () => {
  const name = numbered(`${'\u00e9'.repeat(125)}.txt`, 2)
  expect(utf8Length(name)).toBeLessThanOrEqual(NAME_BYTES_MAX)
  expect(name.endsWith(' (2).txt')).toBe(true)
})
