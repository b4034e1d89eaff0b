import { Nested, Raw, type Tree, writeTree } from './message-tree.js'
import type { SimRandom } from './random.js'

const NUMBERS = [
  0,
  1,
  2,
  3,
  127,
  128,
  255,
  256,
  65_535,
  65_536,
  2 ** 32,
  2 ** 53 - 1,
  2 ** 53,
  -1,
  -40,
  -300,
  -70_000,
]
const TEXTS = [
  '',
  '.',
  '..',
  'a/b',
  'a\0',
  'e\u0301',
  '.tidemark',
  'x'.repeat(300),
  'é'.repeat(40_000),
  'dir',
  'file',
  'symlink',
]
/** No field of this version has it. */
const NEW_FIELD = 100
/** No record of this version has more fields. */
const KNOWN_FIELD_MAX = 20
/** More fields than a record may have. */
const TOO_MANY_FIELDS = 70
/** More than any list may hold of what is short. */
const TOO_MANY = 17_000
const A_FEW = 20
/** What stands in a flat list: a dot of one byte, an id, an id and one or two bytes. */
const FLAT_RECORDS = [9, 16, 32, 33, 34]
const LONG_FLAT_BYTES = 150_000

const times = (count: number, ...bytes: number[]): number[] =>
  Array.from({ length: count }, () => bytes).flat()

/** Forms that MessagePack has and the protocol does not, and lengths that nothing follows. */
const FORMS: readonly Raw[] = [
  // Types: none, a float, an extension.
  [0xc1],
  [0xca, 0, 0, 0, 0],
  [0xd4, 1, 1],
  // Integers that have a shorter form, or more bits than 53.
  [0xcc, 5],
  [0xcd, 0, 5],
  [0xce, 0, 0, 0, 5],
  [0xcf, ...times(7, 0), 5],
  [0xcf, ...times(8, 0xff)],
  [0xd0, 0xff],
  [0xd1, 0xff, 0xff],
  [0xd2, ...times(4, 0xff)],
  [0xd3, ...times(8, 0xff)],
  [0xd3, 0x80, ...times(7, 0)],
  // Texts that are none, or have a shorter head.
  [0xa2, 0xc3, 0x28],
  [0xa3, 0xed, 0xa0, 0x80],
  [0xd9, 1, 0x61],
  [0xdb, 0, 0, 0, 1, 0x61],
  [0xdb, 0, 1, 0, 0, ...times(65_536, 0x61)],
  [0xc5, 0, 1, 7],
  [0xc6, 0, 0, 0, 1, 7],
  // Lists and maps: long heads, other order, too deep, and more than there is.
  [0xdc, 0, 1, 7],
  [0xdd, 0, 0, 0, 1, 7],
  [0xdd, 0xff, 0xff, 0xff, 0xff],
  [0xdf, 0x7f, 0xff, 0xff, 0xff],
  [0x82, 2, 7, 1, 7],
  [0x81, 0, 7],
  [...times(40, 0x91), 7],
].map((bytes) => new Raw(bytes))

/** The same with one or two things changed, somewhere: what a peer might say that is no peer of ours, or a later one. */
export function changedTree(tree: Tree, random: SimRandom): Tree {
  const once = changedOnce(tree, random)
  return random.chance(3) ? changedOnce(once, random) : once
}

function changedOnce(tree: Tree, random: SimRandom): Tree {
  let left = random.below(sizeOf(tree))
  const walkFields = (fields: Map<number, Tree>): Map<number, Tree> => {
    const walked = walk(fields)
    return walked instanceof Map ? walked : new Map([[1, walked]])
  }
  const walk = (node: Tree): Tree => {
    if (left-- === 0) return changed(node, random)
    if (Array.isArray(node)) return node.map(walk)
    if (node instanceof Map) return new Map([...node].map(([key, value]) => [key, walk(value)]))
    if (node instanceof Nested) return new Nested(walkFields(node.fields))
    return node
  }
  return walk(tree)
}

function sizeOf(tree: Tree): number {
  if (tree instanceof Nested) return 1 + sizeOf(tree.fields)
  const below = Array.isArray(tree) ? tree : tree instanceof Map ? [...tree.values()] : []
  return below.reduce<number>((sum, each) => sum + sizeOf(each), 1)
}

function changed(node: Tree, random: SimRandom): Tree {
  if (random.chance(12)) return random.pick<Tree>([null, true, 7, 'text', new Uint8Array(3), [], new Map()])!
  if (node instanceof Raw || random.chance(12)) return random.pick(FORMS)!
  if (typeof node === 'number') return random.chance(2) ? random.pick(NUMBERS)! : node + 1
  if (typeof node === 'string') return random.chance(4) ? `${node}~` : random.pick(TEXTS)!
  if (typeof node === 'boolean') return !node
  if (node === null) return 1
  if (node instanceof Nested) return changedBytes(writeTree(node.fields), random)
  if (node instanceof Uint8Array) return changedBytes(node, random)
  if (Array.isArray(node)) return changedList(node, random)
  return changedFields(node, random)
}

function changedBytes(bytes: Uint8Array, random: SimRandom): Uint8Array {
  const at = random.below(bytes.length + 1)
  switch (random.below(12)) {
    case 0:
      return bytes.slice(0, at)
    case 1:
      return new Uint8Array(bytes.length)
    case 2:
      return Uint8Array.from([...bytes, ...bytes])
    case 3:
      return Uint8Array.from([...bytes.slice(0, at), 0x80, 0, ...bytes.slice(at)])
    case 4:
      return Uint8Array.from(bytes, () => 0xff)
    case 5:
      // A record more, as the last one but greater: a dot of the same replica, another length of the same thing.
      return Uint8Array.from([...bytes, ...greater(bytes.slice(-random.pick(FLAT_RECORDS)!))])
    case 6:
      // A record more, of something that nobody named.
      return Uint8Array.from([...bytes, ...random.bytes(random.pick(FLAT_RECORDS)! - 1), 1])
    case 7:
      // The last integer becomes the longest that fits, or does not fit.
      return Uint8Array.from([...bytes.slice(0, -1), ...times(6 + random.below(2), 0xff), 0x7f])
    case 8:
      return Uint8Array.from([...bytes.slice(0, -1), 0])
    case 9:
      return random.chance(2)
        ? new Uint8Array()
        : Uint8Array.from([...bytes.slice(at), ...bytes.slice(0, at)])
    case 10:
      return manyRecords(random.pick(FLAT_RECORDS)!)
    default:
      return bytes.map((byte, i) => (i === at ? byte ^ (1 << random.below(8)) : byte))
  }
}

const isShort = (node: Tree): boolean =>
  typeof node === 'number' || ((typeof node === 'string' || node instanceof Uint8Array) && node.length < 40)

const greater = (record: Uint8Array): Uint8Array =>
  record.map((byte, i) => (i === record.length - 1 && byte < 0x7f ? byte + 1 : byte))

/** In ascending order, and more than any list may hold. */
function manyRecords(length: number): Uint8Array {
  const bytes = new Uint8Array(LONG_FLAT_BYTES - (LONG_FLAT_BYTES % length))
  const view = new DataView(bytes.buffer)
  for (let at = 0; at < bytes.length; at += length) {
    view.setUint32(at, at)
    bytes[at + length - 1] = 1
  }
  return bytes
}

function changedList(list: Tree[], random: SimRandom): Tree[] {
  const at = random.below(list.length + 1)
  switch (random.below(6)) {
    case 0:
      return list.slice(0, at)
    case 1:
      return list.filter((_, i) => i !== at)
    case 2:
      return list.flatMap((each, i) => (i === at ? [each, each] : [each]))
    case 3:
      return [...list].reverse()
    case 4: {
      const item = list[at] ?? list[0] ?? 7
      return Array.from({ length: isShort(item) ? TOO_MANY : A_FEW }, () => item)
    }
    default:
      return [...list, ...list]
  }
}

function changedFields(fields: Map<number, Tree>, random: SimRandom): Map<number, Tree> {
  const entries = [...fields]
  const at = random.below(entries.length + 1)
  const key = 1 + random.below(KNOWN_FIELD_MAX)
  switch (random.below(8)) {
    case 0:
      return new Map(entries.filter((_, i) => i !== at))
    case 1:
      return new Map(entries.reverse())
    case 2:
    case 3:
      // A field that is left out when it says nothing, or that does not go with the others.
      return new Map(
        [...new Map(fields).set(key, random.pick<Tree>([0, false, true, 1, '', new Uint8Array()])!)].sort(
          ([a], [b]) => a - b,
        ),
      )
    case 4:
      return new Map(
        Array.from({ length: TOO_MANY_FIELDS }, (_, i) => [i + 1, fields.get(i + 1) ?? 7] as const),
      )
    default:
      return new Map([
        ...entries,
        [NEW_FIELD + random.below(3), random.pick<Tree>([null, 7, 'new', [1, 'a'], ...FORMS])!],
      ])
  }
}
