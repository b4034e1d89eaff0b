import type { NodeEntry } from '@tidemark/protocol'

/** Whether two states of one node have the same siblings. */
export function sameSiblings(a: NodeEntry, b: NodeEntry | undefined): boolean {
  return a === b || (b !== undefined && dotsOf(a).join() === dotsOf(b).join())
}

const dotsOf = ({ loc, content, attr }: NodeEntry): string[] =>
  [...loc, ...content, ...attr].map(({ dot: { rid, seq } }) => `${rid}:${seq}`).sort()
