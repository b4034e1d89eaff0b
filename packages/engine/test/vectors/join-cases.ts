import type { NodeEntry } from '@tidemark/protocol'
import { attr, content, dir, file, loc } from './vocabulary.js'

export interface JoinCase {
  readonly name: string
  readonly a: NodeEntry
  readonly b: NodeEntry
}

const extra = (key: number, ...bytes: number[]) => ({ key, value: Uint8Array.from(bytes) })

/** Pairs of states of one node. Join gives the same in both orders. */
export const JOIN_CASES: readonly JoinCase[] = [
  {
    name: 'equal states',
    a: file(1, { loc: [loc('a1')], content: [content('a2', 1)] }),
    b: file(1, { loc: [loc('a1')], content: [content('a2', 1)] }),
  },
  {
    name: 'registers that the other side has not',
    a: file(1, { loc: [loc('a1')] }),
    b: file(1, { content: [content('a2', 1)], attr: [attr('a3', true)] }),
  },
  {
    name: 'a newer value covers the one that its author saw',
    a: file(1, { content: [content('a2', 1)] }),
    b: file(1, { content: [content('b1', 2, { ctx: 'a2' })] }),
  },
  {
    name: 'a clock decides nothing: the covered value goes, however late its stamp',
    a: file(1, { content: [content('a2', 1, { at: 9_000 })] }),
    b: file(1, { content: [content('b1', 2, { ctx: 'a2', at: 5 })] }),
  },
  {
    name: 'concurrent values stay both',
    a: file(1, { content: [content('a2', 1)] }),
    b: file(1, { content: [content('b1', 2)] }),
  },
  {
    name: 'a copy edited twice leaves the version that its author did not see',
    a: file(1, { content: [content('a1', 1), content('b2', 2)] }),
    b: file(1, { content: [content('b4', 4, { ctx: 'a1 b3 -b2' }), content('b2', 2)] }),
  },
  {
    name: 'an exception of one sibling does not protect from another',
    a: file(1, { content: [content('a4', 1, { ctx: 'b3 -b2' }), content('b2', 2)] }),
    b: file(1, { content: [content('c1', 3, { ctx: 'b3' })] }),
  },
  {
    name: 'what was covered on one side does not come back from the other',
    a: file(1, { content: [content('a3', 3, { ctx: 'a2 b1' })] }),
    b: file(1, { content: [content('a2', 2), content('b1', 1)] }),
  },
  {
    name: 'each side covers one of the other',
    a: file(1, { content: [content('a2', 2, { ctx: 'b1' }), content('a3', 3)] }),
    b: file(1, { content: [content('b1', 1), content('b2', 4, { ctx: 'a3 -a2' })] }),
  },
  {
    name: 'a void is a value like others',
    a: file(1, { content: [content('a1', 1), content('b1', 2)] }),
    b: file(1, { content: [content('c1', 0, { ctx: 'b1', copies: 'a1' }), content('a1', 1)] }),
  },
  {
    name: 'move and delete of a directory, apart from each other',
    a: dir(1, loc('a2', { ctx: 'a1', name: 'new', from: file(9, {}).id, held: 'a9' })),
    b: dir(1, loc('b1', { ctx: 'a1', dead: true, seen: 'a9' })),
  },
  {
    name: 'fields of a later version: of two values of one field the greater bytes stay',
    a: { ...file(1, { loc: [loc('a1')] }), extra: [extra(9, 0x01), extra(12, 0x05)] },
    b: { ...file(1, { loc: [loc('a1')] }), extra: [extra(9, 0x02), extra(10, 0xc0)] },
  },
]
