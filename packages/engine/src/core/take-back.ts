import {
  type Attr,
  type Content,
  type Context,
  contextHas,
  type Dot,
  dotKey,
  EMPTY_CONTEXT,
  type Hlc,
  type Loc,
  type NodeEntry,
  normalizeDots,
  type Register,
  type Sibling,
  sameDot,
  unionContexts,
} from '@tidemark/protocol'
import type { WriteClock } from './ops/node-draft.js'
import { inheritedSeen, seenField } from './ops/write-loc.js'
import { covers, dotsOf, makeSibling, maxSibling, seenOf } from './register.js'
import { chosenLoc, visibleContents } from './visibility.js'

/**
 * The writes that take back what a hub refused: each register that still shows a refused sibling is as the hub has
 * it, for everybody who ever hears of the refused one.
 *
 * What the refused siblings covered comes back with its stamp, so that the order of versions is as it was. Where
 * they covered nothing that the hub has, a write that changes nothing covers them. Source: design 8.
 *
 * @param held All that is known here of the node.
 * @param accepted What the hub has of it.
 * @returns only the new siblings; `undefined`: something newer has taken the place of all that was refused.
 */
export function takeBack(
  held: NodeEntry,
  refused: readonly Dot[],
  accepted: NodeEntry | undefined,
  clock: WriteClock,
): NodeEntry | undefined {
  const { id, kind } = held
  const hub: NodeEntry = accepted ?? { id, kind, loc: [], content: [], attr: [] }
  const registers = { hub, refused, clock }
  const content = ofContent(held, registers)
  const loc = ofLoc(held, registers)
  const attr = ofAttr(held, registers)
  if (loc.length + content.length + attr.length === 0) return undefined
  return { id, kind, loc, content, attr }
}

interface Registers {
  readonly hub: NodeEntry
  readonly refused: readonly Dot[]
  readonly clock: WriteClock
}

function ofLoc(held: NodeEntry, { hub, refused, clock }: Registers): Register<Loc> {
  const undo = new Undo(held.loc, hub.loc, refused, clock)
  if (undo.isNothing) return []
  const carried = carriedSeen(undo.undone, { hub, held, refused })
  const again = (place: Sibling<Loc>): Sibling<Loc> => {
    const seen = unionContexts(place.value.seen ?? EMPTY_CONTEXT, carried)
    return undo.again(place, { ...pinned(place), ...seenField(seen) })
  }
  if (undo.covered.length > 0) return undo.covered.map(again)
  const place = chosenLoc({ ...hub, loc: undo.left })
  if (place) return [again(place)]
  const { parent, name } = maxSibling(undo.undone)!.value
  const gone = held.content.filter(isOneOf(refused))
  const seen = unionContexts(carried, seenOf(gone, held.content))
  return [undo.write({ parent, name, dead: true, ...seenField(seen) })]
}

/**
 * What earlier deletions knew, which the refused places carried on: the hub may have collected them, and whoever has
 * not still hides versions by them. Not what the hub shows, nor what a refused deletion takes away from somebody.
 */
function carriedSeen(
  undone: Register<Loc>,
  { hub, held, refused }: { hub: NodeEntry; held: NodeEntry; refused: readonly Dot[] },
): Context {
  const [deletions, places] = [
    undone.filter(({ value }) => value.dead),
    undone.filter(({ value }) => !value.dead),
  ]
  const others = dotsOf(held.content.filter((sibling) => !isOneOf(refused)(sibling)))
  const shown = visibleContents(hub).flatMap(({ dot, value: { restores = [] } }) => [dot, ...restores])
  const seen = unionContexts(inheritedSeen(places), without(inheritedSeen(deletions), others))
  return without(seen, shown)
}

/** @returns exactly the other dots of `ctx`. */
const without = (ctx: Context, dots: readonly Dot[]): Context => ({
  vector: ctx.vector,
  except: normalizeDots([...ctx.except, ...dots.filter((dot) => contextHas(ctx, dot))]),
})

/** Nobody's wish: a deletion that knew the place has taken this away too. */
const pinned = ({ dot, value }: Sibling<Loc>): Loc =>
  value.dead ? value : { ...value, pin: value.pin ?? [dot] }

function ofContent(held: NodeEntry, { hub, refused, clock }: Registers): Register<Content> {
  const undo = new Undo(held.content, hub.content, refused, clock)
  if (undo.isNothing) return []
  const shown = new Set(visibleContents(hub))
  const renamed = new Map<string, Dot>()
  const back = undo.covered
    .filter((sibling) => shown.has(sibling))
    .map((sibling) => {
      const restores = sibling.value.restores ?? [sibling.dot]
      const again = undo.again(sibling, { ...sibling.value, restores })
      renamed.set(dotKey(sibling.dot), again.dot)
      return again
    })
  // What says that copies stay copies says so of the same versions.
  const binding = undo.covered.filter(({ value }) => value.root === undefined && value.copies !== undefined)
  for (const sibling of binding) {
    const copies = sibling.value.copies!.map((dot) => renamed.get(dotKey(dot)) ?? dot)
    back.push(undo.again(sibling, { ...sibling.value, copies }))
  }
  return back.length > 0 ? back : [undo.write({ height: 0, size: 0, mtimeMs: 0 })]
}

function ofAttr(held: NodeEntry, { hub, refused, clock }: Registers): Register<Attr> {
  const undo = new Undo(held.attr, hub.attr, refused, clock)
  if (undo.isNothing) return []
  if (undo.covered.length > 0) return undo.covered.map((sibling) => undo.again(sibling, sibling.value))
  const mode = maxSibling(undo.left)
  return [mode ? undo.again(mode, mode.value) : undo.write({ executable: false })]
}

/** One register in which something is taken back. */
class Undo<V extends Loc | Content | Attr> {
  /** The refused siblings that are still here. */
  readonly undone: Register<V>
  /** What the hub has, and nobody else had replaced. */
  readonly covered: Register<V>
  /** What says the same without them, of the hub's if it has any: written again it changes nothing. */
  readonly left: Register<V>
  readonly #others: Register<V>

  constructor(
    held: Register<V>,
    hub: Register<V>,
    refused: readonly Dot[],
    private readonly clock: WriteClock,
  ) {
    const isRefused = isOneOf(refused)
    this.undone = held.filter(isRefused)
    const kept = held.filter((sibling) => !isRefused(sibling))
    const alive = hub.filter((sibling) => !kept.some((other) => covers(other, sibling)))
    const isCovered = (sibling: Sibling<V>): boolean => this.undone.some((other) => covers(other, sibling))
    this.covered = alive.filter(isCovered)
    const left = alive.filter((sibling) => !isCovered(sibling))
    this.left = left.length > 0 ? left : kept
    this.#others = [...held, ...hub]
  }

  get isNothing(): boolean {
    return this.undone.length === 0
  }

  /** A value that the hub has, with its rank among others. */
  again(sibling: Sibling<V>, value: V): Sibling<V> {
    const observed = [...this.undone, ...(this.covered.includes(sibling) ? [sibling] : [])]
    return this.#make(value, sibling.hlc, observed)
  }

  write(value: V): Sibling<V> {
    return this.#make(value, this.clock.nextHlc(), this.undone)
  }

  #make(value: V, hlc: Hlc, observed: Register<V>): Sibling<V> {
    return makeSibling({ register: this.#others, observed, dot: this.clock.nextDot(), hlc, value })
  }
}

const isOneOf =
  (dots: readonly Dot[]) =>
  ({ dot }: Sibling<unknown>): boolean =>
    dots.some((other) => sameDot(other, dot))
