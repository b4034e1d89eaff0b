import { lstatSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'

/**
 * Every content that a user ever wrote, and what became of it by users' hands. What is neither shown nor
 * given up is lost; what is shown and was never written is somebody's invention.
 */
export class Ledger {
  readonly #written = new Set<string>()
  readonly #givenUp = new Set<string>()
  /** Contents that went into a file while it was being taken away, with the folder of their writer. */
  readonly #unseen = new Map<string, string>()
  #givenUpUnseen = 0

  wrote(text: string): void {
    this.#written.add(text)
  }

  /** A user overwrote or deleted it, having had it. */
  gaveUp(text: string): void {
    this.#givenUp.add(text)
  }

  /** A state between two writes to one file: it may be published, and nobody is owed it. */
  passed(text: string): void {
    this.#written.add(text)
    this.#givenUp.add(text)
  }

  /**
   * Written through an open descriptor into a file that its path no longer shows: the bytes are where that
   * file is, be it the trash of that folder.
   */
  wroteUnseen(text: string, folder: string): void {
    this.#written.add(text)
    this.#unseen.set(text, folder)
  }

  /** A user overwrote a file that came in the very moment: one content, nobody knows which. */
  gaveUpUnseen(): void {
    this.#givenUpUnseen++
  }

  /**
   * @param isInTrash Whether a folder's trash holds a content.
   * @returns nothing, if no more are missing than users have given up unseen.
   */
  lost(shown: ReadonlySet<string>, isInTrash: (folder: string, text: string) => boolean): string[] {
    const missing = [...this.#written].filter((text) => {
      if (shown.has(text) || this.#givenUp.has(text)) return false
      const folder = this.#unseen.get(text)
      return folder === undefined || !isInTrash(folder, text)
    })
    return missing.length > this.#givenUpUnseen ? missing : []
  }

  foreign(shown: ReadonlySet<string>): string[] {
    return [...shown].filter((text) => !this.#written.has(text))
  }
}

/**
 * Expects a folder to show every content that a user is owed, and none that nobody wrote.
 *
 * @param tell What is known of a content, for the message.
 */
export function expectNothingLost(
  folder: string,
  ledger: Ledger,
  seed: string,
  tell: (text: string) => string = brief,
): void {
  const shown = new Set(textsIn(folder))
  const trashes = new Map<string, ReadonlySet<string>>()
  const isInTrash = (writer: string, text: string): boolean => {
    const trash = trashes.get(writer) ?? new Set(textsIn(join(writer, '.tidemark', 'trash')))
    trashes.set(writer, trash)
    return trash.has(text)
  }
  expect(ledger.lost(shown, isInTrash).map(tell), `${seed}: lost`).toEqual([])
  expect(ledger.foreign(shown).map(brief), `${seed}: nobody wrote these`).toEqual([])
}

/** Enough of a content to find it in a log. */
export const brief = (text: string): string => `"${text.slice(0, 16)}" ${text.length}`

/** Where below a directory a content is, the tool's own included. */
export function placesOf(directory: string, text: string): string[] {
  return readdirSync(directory, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => readFileSync(path, 'utf8') === text)
}

/** The contents of a file, or of all files below a directory but for the tool's own. */
export function textsIn(path: string): string[] {
  if (!lstatSync(path).isDirectory()) return [readFileSync(path, 'utf8')]
  return readdirSync(path)
    .filter((name) => name !== '.tidemark')
    .flatMap((name) => textsIn(join(path, name)))
}
