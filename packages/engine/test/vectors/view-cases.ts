import { type NodeEntry, ROOT } from '@tidemark/protocol'
import { referenceView } from '../../src/core/view/reference.js'
import { attr, content, dir, file, loc, n, node, sha256 } from './vocabulary.js'

export interface ViewCase {
  readonly name: string
  readonly entries: readonly NodeEntry[]
}

const long = (letter: string, bytes: number): string =>
  letter.repeat(bytes / new TextEncoder().encode(letter).length)

/** Two versions of `name`, and where the losing one is shown. */
const conflict = (name: string): NodeEntry =>
  file(1, { loc: [loc('a1', { name })], content: [content('a2', 1, { at: 5 }), content('b1', 2, { at: 3 })] })
const copyName = (name: string): string =>
  referenceView([conflict(name)], sha256).find((entry) => entry.role === 'conflict')!.name

/** Sets of registers, each with the view that every replica shows. */
export const VIEW_CASES: readonly ViewCase[] = [
  {
    name: 'files and directories at their places',
    entries: [
      dir(1, loc('a1', { name: 'd' })),
      dir(2, loc('a2', { name: 'e', parent: n(1) })),
      file(3, { loc: [loc('a3', { parent: n(2) })], content: [content('a4', 1)], attr: [attr('a5', true)] }),
      node('symlink', 4, {
        loc: [loc('a6', { name: 'l' })],
        content: [content('a7', 2, { target: 'd/e/f' })],
      }),
      node('mount', 5, { loc: [loc('a8', { name: 'm' })] }),
    ],
  },
  { name: 'a losing version is shown beside the winner', entries: [conflict('photo.jpg')] },
  {
    name: 'three versions of a name with two dots and of one that starts with a dot',
    entries: [
      file(1, {
        loc: [loc('a1', { name: 'a.tar.gz' })],
        content: [content('a2', 1), content('b1', 2), content('c1', 3)],
      }),
      file(2, { loc: [loc('a3', { name: '.profile' })], content: [content('a4', 4), content('b2', 5)] }),
    ],
  },
  {
    name: 'equal bytes written twice are one version with both dots',
    entries: [
      file(1, { loc: [loc('a1')], content: [content('a2', 1, { mtimeMs: 7 }), content('b1', 1, { at: 2 })] }),
    ],
  },
  {
    name: 'an adopted version loses against any other, whatever its stamp',
    entries: [
      file(1, { loc: [loc('a1')], content: [content('a2', 1), content('b1', 2, { at: 99, adopted: true })] }),
    ],
  },
  {
    name: 'a literal name goes before a suffixed one: the tag grows',
    entries: [
      conflict('x'),
      file(2, { loc: [loc('c1', { name: copyName('x') })], content: [content('c2', 9)] }),
    ],
  },
  {
    name: 'a name that would be too long is cut at a code point',
    entries: [
      conflict(`${long('a', 251)}.txt`),
      file(2, {
        loc: [loc('c1', { name: `${long('é', 250)}.md` })],
        content: [content('c2', 8), content('d1', 9)],
      }),
    ],
  },
  {
    name: 'deletion that saw the version: gone',
    entries: [
      file(1, { loc: [loc('b1', { ctx: 'a1', dead: true, seen: 'a2' })], content: [content('a2', 1)] }),
      dir(2, loc('b2', { ctx: 'a3', dead: true, name: 'd' })),
    ],
  },
  {
    name: 'deletion and an edit that it did not see: the edit survives at the last place',
    entries: [
      file(1, {
        loc: [loc('b1', { ctx: 'a1', dead: true, seen: 'a2' })],
        content: [content('a3', 2, { ctx: 'a2' })],
      }),
    ],
  },
  {
    name: 'deletion and a move that carried the bytes: the move survives',
    entries: [
      file(1, {
        loc: [
          loc('a3', { ctx: 'a1', name: 'moved', from: ROOT, held: 'a2' }),
          loc('b1', { ctx: 'a1', dead: true, seen: 'a2' }),
        ],
        content: [content('a2', 1)],
      }),
    ],
  },
  {
    name: 'what a deletion saw stays gone under a later place',
    entries: [
      file(1, {
        loc: [loc('b2', { ctx: 'a1 b1', seen: 'a2' })],
        content: [content('a2', 1), content('c1', 3)],
      }),
    ],
  },
  {
    name: 'a new child brings its deleted directory back',
    entries: [
      dir(1, loc('b1', { ctx: 'a1', dead: true, name: 'd' })),
      file(2, { loc: [loc('a2', { parent: n(1) })], content: [content('a3', 1)] }),
    ],
  },
  {
    name: 'two moves into each other: the later one is undone',
    entries: [
      dir(1, loc('a3', { ctx: 'a1', at: 5, name: 'p', parent: n(2), from: ROOT })),
      dir(2, loc('b1', { ctx: 'a2', at: 6, name: 'q', parent: n(1), from: ROOT })),
    ],
  },
  {
    name: 'a cut move goes to another place that is not below itself, before it goes home',
    entries: [
      dir(1, loc('a3', { ctx: 'a1', at: 5, name: 'p', parent: n(2), from: ROOT })),
      dir(
        2,
        loc('b1', { ctx: 'a2', at: 6, name: 'q', parent: n(1), from: ROOT }),
        loc('c1', { ctx: 'a2', at: 4, name: 'q', parent: n(3) }),
      ),
      dir(3, loc('c2', { name: 'r' })),
    ],
  },
  {
    name: 'a file whose directory nobody knows is shown where it came from, or in the root',
    entries: [
      dir(1, loc('a1', { name: 'd' })),
      file(2, { loc: [loc('a2', { parent: n(99), from: n(1) })], content: [content('a3', 1)] }),
      file(3, { loc: [loc('a4', { name: 'g', parent: n(99) })], content: [content('a5', 2)] }),
    ],
  },
  {
    name: 'a move goes before a pin, a pin before a creation, whatever their stamps',
    entries: [
      dir(
        1,
        loc('a1', { name: 'made', at: 9 }),
        loc('b1', { name: 'pinned', at: 8, pin: 'd1' }),
        loc('c1', { name: 'moved', at: 1, from: ROOT }),
      ),
      dir(2, loc('a2', { name: 'made too', at: 9 }), loc('b2', { name: 'pinned too', at: 2, pin: 'd1' })),
    ],
  },
  {
    name: 'a pin falls with what it stands for when a deletion knew all of it',
    entries: [
      dir(1, loc('a3', { name: 'd', ctx: 'a1', pin: 'a1' }), loc('b1', { name: 'd', ctx: 'a1', dead: true })),
      dir(2, loc('a4', { name: 'e', pin: 'a2 c1' }), loc('b2', { name: 'e', ctx: 'a2', dead: true })),
    ],
  },
  {
    name: 'two directories of one name are one entry with the children of both',
    entries: [
      dir(1, loc('a1', { name: 'd' })),
      dir(2, loc('b1', { name: 'd' })),
      file(3, { loc: [loc('a2', { parent: n(1) })], content: [content('a3', 1)] }),
      file(4, { loc: [loc('b2', { parent: n(2), name: 'g' })], content: [content('b3', 2)] }),
      file(5, { loc: [loc('b4', { parent: n(2) })], content: [content('b5', 3)] }),
    ],
  },
  {
    name: 'of files with one name the earliest place keeps it; equal bytes are one entry',
    entries: [
      file(1, { loc: [loc('a1', { at: 4 })], content: [content('a2', 1)] }),
      file(2, { loc: [loc('b1', { at: 3 })], content: [content('b2', 2)] }),
      file(3, { loc: [loc('c1', { at: 5 })], content: [content('c2', 1)], attr: [attr('c3', true)] }),
    ],
  },
  {
    name: 'a directory has its name before a file',
    entries: [
      file(1, { loc: [loc('a1', { name: 'x.d', at: 1 })], content: [content('a2', 1)] }),
      dir(2, loc('b1', { name: 'x.d', at: 9 })),
    ],
  },
  {
    name: 'who was pinned under a suffix never takes the literal name',
    entries: [
      file(1, { loc: [loc('a1', { pin: 'b9', alt: true })], content: [content('a2', 1)] }),
      dir(2, loc('a3', { name: 'd', pin: 'b9', alt: true })),
      dir(3, loc('a4', { name: 'd' })),
    ],
  },
  {
    name: 'copies stay copies when their winner was deleted',
    entries: [
      file(1, {
        loc: [loc('a1')],
        content: [content('c1', 0, { ctx: 'a2', copies: 'b1' }), content('b1', 2)],
      }),
    ],
  },
  {
    name: 'a void shows nothing; a file with only voids is gone',
    entries: [
      file(1, { loc: [loc('a1')], content: [content('b1', 0, { ctx: 'a2' })] }),
      file(2, {
        loc: [loc('a3', { name: 'g' })],
        content: [content('b2', 0, { ctx: 'c1' }), content('a4', 1)],
      }),
    ],
  },
  {
    name: 'a version that was written again goes with the one that it stands for: replaced, deleted, or carried',
    entries: [
      file(1, {
        loc: [loc('a1')],
        content: [content('b1', 1, { ctx: 'a2', restores: 'a2' }), content('c1', 2, { ctx: 'a2' })],
      }),
      file(2, {
        loc: [loc('c2', { name: 'g', dead: true, ctx: 'a3', seen: 'a4' })],
        content: [content('b2', 1, { ctx: 'a4', restores: 'a4' })],
      }),
      file(3, {
        loc: [loc('c3', { name: 'h', ctx: 'a5', seen: 'a6', held: 'a6' })],
        content: [content('b3', 3, { ctx: 'a6', restores: 'a6' })],
      }),
    ],
  },
  {
    name: 'two that wrote one version again do not replace each other',
    entries: [
      file(1, {
        loc: [loc('a1')],
        content: [
          content('b1', 1, { ctx: 'a2 a3', restores: 'a2' }),
          content('c1', 2, { ctx: 'a2 a3', restores: 'a3' }),
          content('c2', 1, { ctx: 'a2 a3', restores: 'a2' }),
        ],
      }),
    ],
  },
]
