import { SimRandom } from './random.js'
import { contentKey, SMALL_BYTES } from './shown.js'

/** Shorter than any chunk of a file of more than one. */
const BLOCK_BYTES = 4_096
const NOISE = Array.from({ length: BLOCK_BYTES / 8 }, noiseOf).join('')
const DOTS = '.'.repeat(BLOCK_BYTES)

function noiseOf(_: unknown, i: number): string {
  return SimRandom.of(i, 'text')
    .below(2 ** 32)
    .toString(16)
    .padStart(8, '0')
}

/**
 * Nowhere the same, so that no chunk of a large file is like another: what repeats goes to a hub in one message. Of
 * every other text the chunks get smaller, of the others they do not.
 */
function filling(number: number, sizeBytes: number): string {
  const block = number % 2 === 0 ? DOTS : NOISE
  const blocks: string[] = []
  for (let at = 0; at < sizeBytes; at += BLOCK_BYTES)
    blocks.push(`${number} ${at}|${block}`.slice(0, Math.min(BLOCK_BYTES, sizeBytes - at)))
  return blocks.join('')
}

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
    const number = this.#count++
    // Of large ones the length is all that tells them apart where only the space says what they are.
    return `${author} ${number}|${filling(number, sizeBytes > SMALL_BYTES ? sizeBytes + number : sizeBytes)}`
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

  /** A program may not know that it has put this in place: it may do it again. */
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
