import { contentKey } from './shown.js'

/** From so many bytes on, no chunk is like another one. */
const MANY_CHUNKS_BYTES = 1_000_000
const BLOCK_BYTES = 40_000

/** Dots, and now and then a name: chunks that differ, and get smaller. */
const many = (name: string, sizeBytes: number): string =>
  Array.from({ length: Math.ceil(sizeBytes / BLOCK_BYTES) }, (_, i) =>
    `${name} ${i}`.padEnd(BLOCK_BYTES, '.'),
  ).join('')

/** What was ever written, and what somebody took away knowingly. Files are told apart by their whole text. */
export class Ledger {
  /** May be seen: somebody wrote it, or tried to. */
  readonly known = new Set<string>([''])
  /** Must be kept: the write was acknowledged. */
  readonly written = new Set<string>()
  readonly givenUp = new Set<string>([''])
  /** Content keys of files that a program deleted without reading them. */
  readonly givenUpKeys = new Set<string>()
  /** Content keys of files that somebody moved or linked: others, who did not know, may show them elsewhere. */
  readonly #moved = new Set<string>()
  /** Texts of which a program may not know that it had shown them. */
  readonly #doubted = new Set<string>()
  #count = 0

  /** A text that no other file has. @param sizeBytes About how long it is. */
  text(author: string, sizeBytes: number): string {
    const name = `${author} ${this.#count++}`
    return `${name}|${sizeBytes < MANY_CHUNKS_BYTES ? '.'.repeat(Math.max(0, sizeBytes)) : many(name, sizeBytes)}`
  }

  wrote(text: string): void {
    this.known.add(text)
    this.written.add(text)
  }

  gaveUp(text: string): void {
    this.givenUp.add(text)
  }

  moved(text: string): void {
    this.#moved.add(contentKey(text))
  }

  movedKey(key: string): void {
    this.#moved.add(key)
  }

  hasMoved(text: string): boolean {
    return this.#moved.has(contentKey(text))
  }

  /** A program died and may not know that it had put this in place: it may do it again. */
  doubt(text: string): void {
    this.#doubted.add(text)
  }

  /**
   * Whether nobody may show this any more: somebody overwrote or deleted it who saw it, and nobody ever gave it
   * another place.
   */
  isDone(text: string): boolean {
    return text !== '' && this.givenUp.has(text) && !this.hasMoved(text) && !this.#doubted.has(text)
  }

  /** Texts that must be somewhere. */
  get owed(): string[] {
    return [...this.written].filter(
      (text) => !this.givenUp.has(text) && !this.givenUpKeys.has(contentKey(text)),
    )
  }
}

/** For logs. */
export const brief = (text: string): string => {
  const head = text.slice(0, 12).replace(/\|.*/s, '')
  return text.length > 40 ? `"${head}" (${text.length} bytes)` : `"${head}"`
}
