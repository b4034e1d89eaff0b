import { type ChunkId, NAME_BYTES_MAX, type NodeId, utf8Encode, utf8Length } from '@tidemark/protocol'

/** Hash for tags; injected, the core has none of its own. */
export type Sha256 = (bytes: Uint8Array) => Uint8Array

/** What stands before the tag: nothing for a clash of names, this for a losing version. */
export type TagLabel = '' | 'conflict '

const TAG_LETTERS = 'abcdefghijklmnopqrstuvwxyz234567'
/** 40 bits: nobody meets a collision by chance; then the tag grows. */
const TAG_LENGTH_MIN = 8
/** Names that had to be cut get this much, so that cut names with one beginning stay apart. */
const TAG_LENGTH_CUT = 26
const TAG_LENGTH_MAX = 52
/** A cut name ends at a code point, so it may miss up to three bytes. */
const CUT_BYTES_MIN = NAME_BYTES_MAX - 3
/** A longer extension is taken as part of the stem. */
const EXTENSION_BYTES_MAX = Math.floor(NAME_BYTES_MAX / 4)

/** Every place in a name where a suffix could stand. */
const SUFFIX = / \((conflict )?([a-z2-7]{8,52})\)/g

interface Wanted {
  readonly name: string
  readonly label: TagLabel
  readonly tag: string
  readonly take: (shown: string) => void
}

/** Gives each wanted suffix of one name group the shortest tag that is unique in it and claimed by nobody. */
export class TagBook {
  readonly #wanted: Wanted[] = []
  readonly #isClaimed: (name: string) => boolean
  readonly #sha256: Sha256

  constructor(isClaimed: (name: string) => boolean, sha256: Sha256) {
    this.#isClaimed = isClaimed
    this.#sha256 = sha256
  }

  add(
    name: string,
    label: TagLabel,
    node: NodeId,
    root: ChunkId | undefined,
    take: (shown: string) => void,
  ): void {
    const tag = base32(this.#sha256(utf8Encode(`${label}${node}:${root ?? ''}`)))
    this.#wanted.push({ name, label, tag, take })
  }

  settle(): void {
    for (const wanted of this.#wanted) {
      let length = TAG_LENGTH_MIN
      while (length < TAG_LENGTH_MAX && !this.#fits(wanted, length)) length++
      wanted.take(suffixedName(wanted.name, wanted.label, wanted.tag, length))
    }
  }

  #fits(wanted: Wanted, length: number): boolean {
    const shared = this.#wanted.some(
      (other) =>
        other !== wanted &&
        other.label === wanted.label &&
        other.tag.slice(0, length) === wanted.tag.slice(0, length),
    )
    return !shared && !this.#isClaimed(suffixedName(wanted.name, wanted.label, wanted.tag, length))
  }
}

/** `stem (label tag).ext`, cut at a code point so that it fits NAME_BYTES_MAX bytes. */
export function suffixedName(name: string, label: TagLabel, tag: string, length: number): string {
  const dot = name.lastIndexOf('.')
  const split = dot > 0 ? dot : name.length
  const ext = utf8Length(name.slice(split)) <= EXTENSION_BYTES_MAX ? name.slice(split) : ''
  const stem = name.slice(0, name.length - ext.length)
  const short = `${stem} (${label}${tag.slice(0, length)})${ext}`
  if (utf8Length(short) <= NAME_BYTES_MAX) return short
  const suffix = ` (${label}${tag.slice(0, Math.max(length, TAG_LENGTH_CUT))})${ext}`
  const room = NAME_BYTES_MAX - utf8Length(suffix)
  let kept = ''
  let bytes = 0
  for (const codePoint of stem) {
    bytes += utf8Length(codePoint)
    if (bytes > room) break
    kept += codePoint
  }
  return `${kept}${suffix}`
}

/** Names whose groups must be resolved again when somebody claims another name, or no longer does. */
export interface DisturbedNames {
  readonly names: readonly string[]
  /** Every name that starts with one of these: their suffixed names are cut, so the rest is not known. */
  readonly prefixes: readonly string[]
}

const NONE: DisturbedNames = { names: [], prefixes: [] }

/**
 * The groups that may show one of their suffixed names as `name`: they have to give way to it. A name may
 * hold several suffixes, and each of them can be the one that was added.
 */
export function namesDisturbedBy(name: string): DisturbedNames {
  if (!name.includes(' (')) return NONE
  const found = [...name.matchAll(SUFFIX)]
  if (found.length === 0) return NONE
  const names: string[] = []
  const prefixes: string[] = []
  const isCut = utf8Length(name) >= CUT_BYTES_MIN
  for (const { index, 0: suffix, 1: conflict, 2: tag } of found) {
    const stem = name.slice(0, index)
    const original = stem + name.slice(index + suffix.length)
    const label = conflict === undefined ? '' : 'conflict '
    if (suffixedName(original, label, tag!, tag!.length) === name) names.push(original)
    if (isCut) prefixes.push(stem)
  }
  return { names, prefixes }
}

function base32(bytes: Uint8Array): string {
  let out = ''
  let value = 0
  let bits = 0
  for (const byte of bytes) {
    value = ((value << 8) | byte) & 0xffff
    bits += 8
    while (bits >= 5) {
      bits -= 5
      out += TAG_LETTERS[(value >>> bits) & 31]
    }
  }
  // 256 bits are 51 letters of five bits, and one more for the last bit.
  return out + TAG_LETTERS[(value << (5 - bits)) & 31]
}
