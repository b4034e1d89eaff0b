import { createHash } from 'node:crypto'
import {
  type ChunkId,
  contextHas,
  type NodeEntry,
  type NodeId,
  type ReplicaId,
  ROOT,
  type SpaceName,
} from '@tidemark/protocol'
import { describe, expect, it } from 'vitest'
import { joinEntries } from '../register.js'
import { isAlive, liveLocs, versions, visibleContents } from '../visibility.js'
import { NodeDraft } from './node-draft.js'
import { importNodeId, mayReuse } from './node-ids.js'
import { Removals, writeRemovals } from './removals.js'
import {
  rewriteContents,
  writeCopyVoid,
  writeEdit,
  writeFirstContent,
  writeWinnerVoid,
} from './write-content.js'
import { writeMove, writePin, writePlace, writeTombstone } from './write-loc.js'

const ID = 'ab'.repeat(16) as NodeId
const DIR = 'cd'.repeat(16) as NodeId
const PLACE = { parent: ROOT, name: 'f' }
const root = (letter: string): ChunkId => letter.repeat(64) as ChunkId
const content = (letter: string) => ({ root: root(letter), height: 0, size: 1, mtimeMs: 0 })

/** Writers have stamps of their own, so that later lines of a test win ties. */
let stamp = 0
function writer(letter: string) {
  let seq = 0
  return {
    nextDot: () => ({ rid: letter.repeat(16) as ReplicaId, seq: ++seq }),
    nextHlc: () => ({ ms: ++stamp, counter: 0 }),
  }
}
const [A, B, C] = [writer('a'), writer('b'), writer('c')]

const draftOf = (synced: NodeEntry | undefined, clock = A, received = synced) =>
  new NodeDraft({ id: ID, kind: 'file', synced, received, clock })

function made(letter: string, clock = A): NodeEntry {
  const draft = draftOf(undefined, clock)
  writePlace(draft, PLACE)
  writeFirstContent(draft, content(letter))
  return draft.synced
}

function change(
  entry: NodeEntry,
  clock: ReturnType<typeof writer>,
  write: (draft: NodeDraft) => void,
): NodeEntry {
  const draft = draftOf(entry, clock)
  write(draft)
  return draft.synced
}

/** One node with a winner `2` and a copy `1`. */
function conflicted(): NodeEntry {
  const start = made('0')
  const one = change(start, B, (draft) => writeEdit(draft, content('1')))
  const two = change(start, C, (draft) => writeEdit(draft, content('2')))
  return joinEntries(one, two)
}

const rootsOf = (entry: NodeEntry) => visibleContents(entry).map(({ value }) => value.root)

describe('content writes', () => {
  it('an edit covers the winner, voids and what deletions hide, and leaves the copies', () => {
    const hidden = change(conflicted(), A, (draft) => writeCopyVoid(draft, versions(draft.synced).copies[0]!))
    expect(hidden.content).toHaveLength(2)
    const edited = change(hidden, A, (draft) => writeEdit(draft, content('3')))
    expect(edited.content.map(({ value }) => value.root)).toEqual([root('3')])
    const kept = change(conflicted(), A, (draft) => writeEdit(draft, content('3')))
    expect(versions(kept).winner!.root).toBe(root('3'))
    expect(versions(kept).copies.map((copy) => copy.root)).toEqual([root('1')])
  })

  it('an edit says what it was made from', () => {
    const edited = change(made('0'), A, (draft) => writeEdit(draft, content('1')))
    expect(edited.content[0]!.value.base).toBe(root('0'))
  })

  it('a void of the winner covers what deletions hide and keeps the copies copies', () => {
    const dead = change(made('0'), A, (draft) => writeTombstone(draft, PLACE))
    const concurrent = joinEntries(dead, conflicted())
    const voided = change(concurrent, A, (draft) =>
      writeWinnerVoid(draft, versions(draft.synced).winner!.dots),
    )
    expect(versions(voided).winner).toBeUndefined()
    expect(versions(voided).copies.map((copy) => copy.root)).toEqual([root('1')])
    const shownOrVoid = voided.content.filter(({ value }) => value.root !== root('1'))
    expect(shownOrVoid.map(({ value }) => value.root)).toEqual([undefined])
  })

  it('a write does not take in what stands on the disk beside it, superseded elsewhere or not (seed 75754)', () => {
    const start = made('0')
    const copy = change(start, A, (draft) => writeEdit(draft, content('1')))
    const onDisk = joinEntries(
      copy,
      change(start, A, (draft) => writeEdit(draft, content('2'))),
    )
    const received = change(copy, B, (draft) => writeEdit(draft, content('3')))
    const draft = draftOf(onDisk, A, received)
    writeWinnerVoid(draft, versions(draft.synced).winner!.dots)
    expect(rootsOf(draft.synced)).toEqual([root('1')])
  })

  it('voids of many copies are one sibling', () => {
    let entry = made('0')
    for (let i = 1; i < 5; i++) {
      const other = change(entry, B, (draft) => writeEdit(draft, content(String(i))))
      entry = joinEntries(
        change(entry, C, (draft) => writeEdit(draft, content('9'))),
        other,
      )
      entry = change(entry, A, (draft) => writeCopyVoid(draft, versions(draft.synced).copies[0]!))
    }
    expect(entry.content.filter(({ value }) => value.root === undefined)).toHaveLength(1)
  })

  it('rewritten versions have own dots and one register entry each', () => {
    const entry = conflicted()
    const again = change(entry, A, rewriteContents)
    expect(again.content.map(({ dot }) => dot.rid)).toEqual(['a'.repeat(16), 'a'.repeat(16)])
    expect(versions(again).winner!.root).toBe(versions(entry).winner!.root)
  })

  it('a batch that takes every version away writes no voids, but for those that went on elsewhere', () => {
    const entry = conflicted()
    const all = new Removals()
    all.winner(ID, 'delete')
    all.copy(ID, root('1'), 'split')
    const draft = draftOf(entry)
    for (const [, removals] of all.entries()) expect(writeRemovals(draft, removals)).toBe(true)
    expect(isAlive(draft.synced)).toBe(false)
    expect(draft.synced.content.map(({ value }) => value.root).sort()).toEqual([root('2'), undefined])
  })
})

describe('loc writes', () => {
  it('a tombstone names the contents that were seen and not those that were only received', () => {
    const start = made('0')
    const later = change(start, B, (draft) => writeEdit(draft, content('1')))
    const draft = draftOf(start, A, later)
    writeTombstone(draft, PLACE)
    expect(isAlive(draft.synced)).toBe(false)
    expect(rootsOf(draft.known)).toEqual([root('1')])
  })

  it('every later loc write carries on what deletions knew', () => {
    const start = made('0')
    const dot = start.content[0]!.dot
    const dead = change(start, A, (draft) => writeTombstone(draft, PLACE))
    for (const write of [writePlace, writeMove]) {
      const again = change(dead, A, (draft) => write(draft, PLACE))
      expect(contextHas(again.loc[0]!.value.seen!, dot)).toBe(true)
      expect(rootsOf(joinEntries(again, start))).toEqual([])
    }
  })

  it('a move carries its versions over a deletion elsewhere', () => {
    const start = made('0')
    const moved = change(start, A, (draft) => writeMove(draft, { parent: DIR, name: 'g' }))
    const dead = change(start, B, (draft) => writeTombstone(draft, PLACE))
    const both = joinEntries(moved, dead)
    expect(rootsOf(both)).toEqual([root('0')])
    const pinned = change(both, C, (draft) => writePin(draft, { parent: DIR, name: 'g' }, true))
    expect(rootsOf(pinned)).toEqual([root('0')])
  })

  it('a pin stands for living writes, covers no tombstone and gives way to a deletion that knew them', () => {
    const start = made('0')
    const pinned = change(start, B, (draft) => writePin(draft, PLACE, true))
    expect(pinned.loc.map(({ value }) => value.pin)).toEqual([start.loc.map(({ dot }) => dot)])
    const twice = change(pinned, B, (draft) => writePin(draft, PLACE, true))
    expect(twice.loc[0]!.value.pin).toEqual(pinned.loc[0]!.value.pin)
    const dead = change(start, A, (draft) => writeTombstone(draft, PLACE))
    expect(liveLocs(joinEntries(pinned, dead))).toEqual([])
    expect(liveLocs(change(dead, C, (draft) => writePin(draft, PLACE, false)))).toEqual([])
  })

  it('a pin of two writes carries nothing against a deletion that knew the one that carried it (seed 101863)', () => {
    const start = made('0')
    const moved = change(start, A, (draft) => writeMove(draft, PLACE))
    const edited = change(start, B, (draft) => {
      writeEdit(draft, content('1'))
      writePlace(draft, PLACE)
    })
    const other = change(moved, A, (draft) => writeEdit(draft, content('2')))
    const carried = change(other, A, (draft) => writeMove(draft, PLACE))
    const pinned = change(joinEntries(carried, edited), C, (draft) => writePin(draft, PLACE, false))
    const dead = change(carried, A, (draft) => writeTombstone(draft, PLACE))
    expect(rootsOf(joinEntries(pinned, dead))).toEqual([root('1')])
    expect(pinned.loc).toHaveLength(2)
  })

  it('a later write of a batch covers the earlier one, and only the later one is handed out', () => {
    const draft = draftOf(undefined)
    writePlace(draft, PLACE)
    writeMove(draft, { parent: DIR, name: 'g' })
    expect(draft.takeWritten()!.loc.map(({ value }) => value.name)).toEqual(['g'])
    expect(draft.takeWritten()).toBeUndefined()
  })
})

describe('ids', () => {
  const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest()
  const made1 = { space: 's' as SpaceName, place: PLACE, kind: 'file', root: root('1') } as const

  it('an import id depends on each of space, parent, kind, name and root', () => {
    const ids = [
      made1,
      { ...made1, space: 't' as SpaceName },
      { ...made1, place: { parent: DIR, name: 'f' } },
      { ...made1, place: { parent: ROOT, name: 'g' } },
      { ...made1, kind: 'symlink' as const },
      { ...made1, root: root('2') },
      { ...made1, kind: 'dir' as const, root: undefined },
    ].map((options) => importNodeId(options, sha256))
    expect(new Set(ids).size).toBe(ids.length)
    expect(importNodeId(made1, sha256)).toBe('c7dda11dccbe16ecf87d7818542d37ef')
  })

  it('a creation re-uses an unknown id, and a dead node at its last place', () => {
    const alive = made('0')
    const dead = change(alive, A, (draft) => writeTombstone(draft, PLACE))
    const copiesOnly = change(conflicted(), A, (draft) =>
      writeWinnerVoid(draft, versions(draft.synced).winner!.dots),
    )
    expect(mayReuse(undefined, 'file', PLACE, true)).toBe(true)
    expect(mayReuse(dead, 'file', PLACE, true)).toBe(true)
    expect(mayReuse(dead, 'file', { parent: ROOT, name: 'g' }, true)).toBe(false)
    expect(mayReuse(dead, 'symlink', PLACE, true)).toBe(false)
    expect(mayReuse(alive, 'file', PLACE, true)).toBe(false)
    expect(mayReuse(alive, 'file', PLACE, false)).toBe(true)
    expect(mayReuse(copiesOnly, 'file', PLACE, true)).toBe(true)
  })
})
