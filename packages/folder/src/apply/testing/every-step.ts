import type { Thing } from './fake-space.js'

const D = (id: number, name: string, below = 0): Thing => ({ id, in: below, name })
const F = (id: number, name: string, bytes: string, below = 0): Thing => ({ id, in: below, name, bytes })

/** A tree that is changed by every kind of step: replace, create, move, swap, directory moves, deletes, links, modes, a large file. */
export const BEFORE: readonly Thing[] = [
  D(1, 'docs'),
  F(2, 'edit', 'edit one', 1),
  F(3, 'swap-a', 'swap A', 1),
  F(4, 'swap-b', 'swap B', 1),
  D(5, 'outer'),
  D(6, 'inner', 5),
  F(7, 'kept', 'kept', 6),
  D(8, 'gone'),
  F(9, 'gone-file', 'gone', 8),
  F(10, 'moved', 'moved', 8),
  F(11, 'mode', 'mode'),
  { id: 12, in: 0, name: 'link', target: 'edit' },
  F(13, 'taken', 'taken'),
  { id: 17, in: 1, name: 'link-a', target: 'A' },
  { id: 18, in: 1, name: 'link-b', target: 'B' },
]
/** What becomes of it. */
export const AFTER: readonly Thing[] = [
  D(1, 'docs'),
  F(2, 'edit', 'edit two', 1),
  F(4, 'swap-a', 'swap B', 1),
  F(3, 'swap-b', 'swap A', 1),
  D(6, 'outer'),
  D(5, 'inner', 6),
  F(7, 'kept', 'kept and moved', 5),
  F(10, 'moved here', 'moved', 1),
  { ...F(11, 'mode', 'mode'), executable: true },
  { id: 12, in: 0, name: 'link', target: 'elsewhere' },
  D(14, 'taken'),
  F(15, 'new', 'new', 14),
  F(16, 'large', 'L'.repeat(150_000), 14),
  { id: 17, in: 1, name: 'link-b', target: 'A' },
  { id: 18, in: 1, name: 'link-a', target: 'B' },
]
