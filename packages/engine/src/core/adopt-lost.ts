import { type Dot, makeContext, type NodeEntry, type Register } from '@tidemark/protocol'

/**
 * The same values and stamps under new dots that cover the old ones.
 *
 * @returns what to join; `undefined` when no sibling is a stray.
 */
export function adoptSiblings(
  entry: NodeEntry,
  isStray: (dot: Dot) => boolean,
  nextDot: () => Dot,
): NodeEntry | undefined {
  const adopt = <V>(register: Register<V>): Register<V> =>
    register
      .filter(({ dot }) => isStray(dot))
      .map((sibling) => {
        const others = register.filter((other) => other !== sibling).map(({ dot }) => dot)
        return { ...sibling, dot: nextDot(), ctx: makeContext([sibling.ctx], [sibling.dot], others) }
      })
  const adopted = {
    ...entry,
    loc: adopt(entry.loc),
    content: adopt(entry.content),
    attr: adopt(entry.attr),
  }
  const count = adopted.loc.length + adopted.content.length + adopted.attr.length
  return count > 0 ? adopted : undefined
}
