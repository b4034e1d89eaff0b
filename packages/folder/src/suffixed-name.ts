import { NAME_BYTES_MAX, utf8Length } from '@tidemark/protocol'

/** A longer one is no extension, and is cut like the rest. */
const EXTENSION_BYTES_MAX = Math.floor(NAME_BYTES_MAX / 4)

/** `f.txt` with ` (2)` is `f (2).txt`, cut at a code point so that it fits NAME_BYTES_MAX bytes. */
export function suffixedName(name: string, suffix: string): string {
  const dot = name.lastIndexOf('.')
  const ext = dot > 0 && utf8Length(name.slice(dot)) <= EXTENSION_BYTES_MAX ? name.slice(dot) : ''
  const end = `${suffix}${ext}`
  return `${cut(name.slice(0, name.length - ext.length), NAME_BYTES_MAX - utf8Length(end))}${end}`
}

/** The longest start of a text that has at most that many bytes. */
export function cut(text: string, bytesMax: number): string {
  if (utf8Length(text) <= bytesMax) return text
  let kept = ''
  let bytes = 0
  for (const codePoint of text) {
    bytes += utf8Length(codePoint)
    if (bytes > bytesMax) break
    kept += codePoint
  }
  return kept
}
