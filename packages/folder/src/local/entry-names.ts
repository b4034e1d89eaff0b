import type { FileStat } from '../ports/file-system.js'
import type { SyncedRow } from '../rows.js'
import { suffixedName } from '../suffixed-name.js'

/**
 * Names that the space gives to local names of one directory: their NFC form. Of two local names with one
 * NFC form the one that has a row keeps it, else the first in code point order; the other gets a suffix.
 */
export class EntryNames {
  readonly #twins = new Map<string, string[]>()

  constructor(
    private readonly found: ReadonlyMap<string, FileStat>,
    private readonly rows: ReadonlyMap<string, SyncedRow>,
  ) {
    for (const name of found.keys()) {
      const nfc = name.normalize('NFC')
      // Only a name that is not NFC can have a twin: the map stays empty in almost every directory.
      if (nfc !== name) this.#twins.set(nfc, [...(this.#twins.get(nfc) ?? []), name])
    }
  }

  entryName(localName: string): string {
    const nfc = localName.normalize('NFC')
    const others = this.#twins.get(nfc)
    if (!others) return nfc
    const all = this.found.has(nfc) ? [nfc, ...others] : [...others].sort()
    const first = all.find((name) => this.rows.has(name)) ?? all[0]!
    if (localName === first) return nfc
    const number = all.filter((name) => name !== first).indexOf(localName) + 2
    return numbered(nfc, number)
  }
}

/** `stem (2).ext`, cut so that it fits NAME_BYTES_MAX bytes. */
export const numbered = (name: string, number: number): string =>
  suffixedName(name, ` (${number})`).normalize('NFC')
