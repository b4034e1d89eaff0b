import {
  type Content,
  type Context,
  EMPTY_CONTEXT,
  encodeContext,
  equalBytes,
  type Loc,
  type NodeEntry,
  type Register,
  sameDot,
} from '@tidemark/protocol'
import { covers } from './register.js'
import { hasPlace, isAlive, visibleContents } from './visibility.js'

/**
 * What of an entry would change what is held: the writes that somebody may have something against. Left out is
 * what says again what is shown, and what takes away what is not: so what takes a refused write back (`takeBack`)
 * is never among them.
 *
 * @param entry What came, without what is known to be superseded.
 * @returns `undefined`: nothing.
 */
export function newWrites(entry: NodeEntry, held: NodeEntry | undefined): NodeEntry | undefined {
  const isDead = held === undefined || !isAlive(held) || !hasPlace(held)
  const shown = held ? visibleContents(held) : []
  const loc = newIn(entry.loc, held?.loc).filter(({ value }) =>
    value.dead && isDead ? false : !held?.loc.some((own) => isSamePlace(own.value, value)),
  )
  const content = newIn(entry.content, held?.content).filter((sibling) =>
    sibling.value.root === undefined
      ? shown.some((own) => covers(sibling, own))
      : !shown.some((own) => isSameVersion(own.value, sibling.value)),
  )
  const attr = newIn(entry.attr, held?.attr).filter(({ value }) => {
    const modes = held?.attr.length ? held.attr.map((own) => own.value.executable) : [false]
    return !modes.includes(value.executable)
  })
  if (loc.length + content.length + attr.length === 0) return undefined
  return { ...entry, loc, content, attr }
}

function newIn<V>(incoming: Register<V>, held: Register<V> = []): Register<V> {
  return incoming.filter((x) => !held.some((y) => sameDot(x.dot, y.dot) || covers(y, x)))
}

const isSamePlace = (a: Loc, b: Loc): boolean =>
  a.dead === b.dead &&
  a.parent === b.parent &&
  a.name === b.name &&
  (!a.dead || isSameContext(a.seen, b.seen))

function isSameContext(a: Context = EMPTY_CONTEXT, b: Context = EMPTY_CONTEXT): boolean {
  return equalBytes(encodeContext(a), encodeContext(b))
}

const isSameVersion = (a: Content, b: Content): boolean => a.root === b.root
