import { equalBytes } from '@tidemark/protocol'

/** MessagePack as the protocol uses it: maps have whole numbers as keys. */
export type Tree = number | null | boolean | string | Uint8Array | Nested | Raw | Tree[] | Map<number, Tree>

/** Bytes that stand in the place of a value as they are: forms that no tree is written in. */
export class Raw {
  constructor(readonly bytes: readonly number[]) {}
}

/** Bytes that are a map themselves, as entries of nodes are. */
export class Nested {
  constructor(readonly fields: Map<number, Tree>) {}

  static of(bytes: Uint8Array): Nested | undefined {
    try {
      const tree = readTree(bytes)
      return tree instanceof Map && equalBytes(writeTree(tree), bytes) ? new Nested(tree) : undefined
    } catch {
      return undefined
    }
  }
}

/** Precondition: a message that was encoded. */
export function readTree(frame: Uint8Array): Tree {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength)
  let at = 0
  const uint = (bytes: number): number => {
    let value = 0
    for (let i = 0; i < bytes; i++) value = value * 256 + view.getUint8(at++)
    return value
  }
  const take = (count: number): Uint8Array => {
    at += count
    return frame.slice(at - count, at)
  }
  const nestedOr = (bytes: Uint8Array): Tree => Nested.of(bytes) ?? bytes
  const list = (count: number): Tree[] => Array.from({ length: count }, read)
  const map = (count: number): Map<number, Tree> =>
    new Map(Array.from({ length: count }, () => [read() as number, read()] as const))
  const text = (count: number): string => Buffer.from(take(count)).toString()
  const signed = (bytes: number): number => uint(bytes) - 256 ** bytes
  function read(): Tree {
    const tag = uint(1)
    if (tag < 0x80) return tag
    if (tag < 0x90) return map(tag & 0x0f)
    if (tag < 0xa0) return list(tag & 0x0f)
    if (tag < 0xc0) return text(tag & 0x1f)
    if (tag >= 0xe0) return tag - 0x100
    if (tag === 0xc0) return null
    if (tag <= 0xc3) return tag === 0xc3
    if (tag <= 0xc6) return nestedOr(take(uint(1 << (tag - 0xc4))))
    if (tag <= 0xcf) return uint(1 << (tag - 0xcc))
    if (tag <= 0xd3) return signed(1 << (tag - 0xd0))
    if (tag <= 0xdb) return text(uint(1 << (tag - 0xd9)))
    if (tag <= 0xdd) return list(uint(2 << (tag - 0xdc)))
    return map(uint(2 << (tag - 0xde)))
  }
  return read()
}

/** Each value in its shortest form. */
export function writeTree(tree: Tree): Uint8Array {
  const bytes: number[] = []
  const uint = (value: number, count: number): void => {
    for (let i = count - 1; i >= 0; i--) bytes.push(Math.floor(value / 256 ** i) % 256)
  }
  /** @param forms From short to long: up to which value, the tag, bytes of the value. */
  const tagged = (
    value: number,
    ...forms: (readonly [below: number, tag: number, bytes: number])[]
  ): void => {
    const [, tag, count] = forms.find(([below]) => value < below) ?? forms.at(-1)!
    bytes.push(count === 0 ? tag + value : tag)
    uint(value, count)
  }
  const number = (value: number): void => {
    if (value >= 0)
      tagged(
        value,
        [0x80, 0, 0],
        [0x100, 0xcc, 1],
        [0x1_0000, 0xcd, 2],
        [2 ** 32, 0xce, 4],
        [2 ** 64, 0xcf, 8],
      )
    else if (value >= -0x20) bytes.push(value + 0x100)
    else if (value >= -0x80) bytes.push(0xd0, value + 0x100)
    else bytes.push(0xd1, ...[value + 0x1_0000].flatMap((each) => [each >> 8, each & 0xff]))
  }
  const write = (value: Tree): void => {
    if (value === null) bytes.push(0xc0)
    else if (typeof value === 'boolean') bytes.push(value ? 0xc3 : 0xc2)
    else if (typeof value === 'number') number(value)
    else if (value instanceof Raw) for (const byte of value.bytes) bytes.push(byte)
    else if (value instanceof Nested) write(writeTree(value.fields))
    else if (typeof value === 'string') {
      const text = Buffer.from(value)
      tagged(text.length, [0x20, 0xa0, 0], [0x100, 0xd9, 1], [0x1_0000, 0xda, 2], [2 ** 32, 0xdb, 4])
      for (const byte of text) bytes.push(byte)
    } else if (value instanceof Uint8Array) {
      tagged(value.length, [0x100, 0xc4, 1], [0x1_0000, 0xc5, 2], [2 ** 32, 0xc6, 4])
      for (const byte of value) bytes.push(byte)
    } else if (Array.isArray(value)) {
      tagged(value.length, [0x10, 0x90, 0], [0x1_0000, 0xdc, 2], [2 ** 32, 0xdd, 4])
      value.forEach(write)
    } else {
      tagged(value.size, [0x10, 0x80, 0], [0x1_0000, 0xde, 2], [2 ** 32, 0xdf, 4])
      for (const [key, each] of value) [key, each].forEach(write)
    }
  }
  write(tree)
  return Uint8Array.from(bytes)
}
