import { createHash } from 'node:crypto'
import {
  type Attr,
  type ChunkId,
  type Content,
  type Context,
  compareDots,
  type Dot,
  EMPTY_CONTEXT,
  type Loc,
  makeContext,
  type NodeEntry,
  type NodeId,
  type NodeKind,
  type Register,
  type ReplicaId,
  ROOT,
  type Sibling,
} from '@tidemark/protocol'

/** A tiny vocabulary for registers: dots are written `a1`, nodes `n(7)`, contents `c(3)`. */
export const sha256 = (bytes: Uint8Array): Uint8Array => createHash('sha256').update(bytes).digest()

/** `a1`: write 1 of the replica whose id is all `a`. */
export function dot(text: string): Dot {
  return { rid: text.charAt(0).repeat(16) as ReplicaId, seq: Number(text.slice(1)) }
}

export const dots = (text: string): readonly Dot[] =>
  text === '' ? [] : text.split(' ').map(dot).sort(compareDots)

/** `a5 b2 -a3`: all of `a` up to 5 and of `b` up to 2, without `a3`. */
export function ctx(text: string): Context {
  if (text === '') return EMPTY_CONTEXT
  const words = text.split(' ')
  const observed = words.filter((word) => !word.startsWith('-'))
  const except = words.filter((word) => word.startsWith('-')).map((word) => dot(word.slice(1)))
  return makeContext([], observed.map(dot), except)
}

export const n = (index: number): NodeId => index.toString(16).padStart(32, '0') as NodeId
export const c = (index: number): ChunkId => index.toString(16).padStart(64, '0') as ChunkId

interface Stamped {
  /** What the writer had observed, as `ctx` reads it. */
  readonly ctx?: string
  /** Milliseconds of the stamp. */
  readonly at?: number
}

function sibling<V>(name: string, { ctx: observed = '', at = 1 }: Stamped, value: V): Sibling<V> {
  return { dot: dot(name), ctx: ctx(observed), hlc: { ms: at, counter: 0 }, value }
}

type Place = Stamped &
  Partial<Omit<Loc, 'seen' | 'held' | 'pin'>> & {
    readonly seen?: string
    readonly held?: string
    readonly pin?: string
  }

/** A place; the root and `f` unless it says otherwise. */
export function loc(name: string, options: Place = {}): Sibling<Loc> {
  const { ctx: observed, at, seen, held, pin, ...rest } = options
  return sibling(name, stamp(observed, at), {
    parent: ROOT,
    name: 'f',
    dead: false,
    ...rest,
    ...(seen === undefined ? {} : { seen: ctx(seen) }),
    ...(held === undefined ? {} : { held: dots(held) }),
    ...(pin === undefined ? {} : { pin: dots(pin) }),
  })
}

type Bytes = Stamped &
  Partial<Omit<Content, 'root' | 'copies' | 'restores'>> & {
    readonly copies?: string
    readonly restores?: string
  }

/** A content, or with `root` 0 a void. */
export function content(name: string, root: number, options: Bytes = {}): Sibling<Content> {
  const { ctx: observed, at, copies, restores, ...rest } = options
  return sibling(name, stamp(observed, at), {
    height: 0,
    size: root,
    mtimeMs: 0,
    ...rest,
    ...(root === 0 ? {} : { root: c(root) }),
    ...(copies === undefined ? {} : { copies: dots(copies) }),
    ...(restores === undefined ? {} : { restores: dots(restores) }),
  })
}

export const attr = (name: string, executable: boolean, options: Stamped = {}): Sibling<Attr> =>
  sibling(name, options, { executable })

const stamp = (observed: string | undefined, at: number | undefined): Stamped => ({
  ...(observed === undefined ? {} : { ctx: observed }),
  ...(at === undefined ? {} : { at }),
})

interface Registers {
  readonly loc?: Register<Loc>
  readonly content?: Register<Content>
  readonly attr?: Register<Attr>
}

const sorted = <V>(register: Register<V> = []): Register<V> =>
  [...register].sort((x, y) => compareDots(x.dot, y.dot))

export function node(kind: NodeKind, id: number, registers: Registers): NodeEntry {
  return {
    id: n(id),
    kind,
    loc: sorted(registers.loc),
    content: sorted(registers.content),
    attr: sorted(registers.attr),
  }
}

export const file = (id: number, registers: Registers): NodeEntry => node('file', id, registers)
export const dir = (id: number, ...places: readonly Sibling<Loc>[]): NodeEntry =>
  node('dir', id, { loc: places })
