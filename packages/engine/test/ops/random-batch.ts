import { type NodeId, ROOT } from '@tidemark/protocol'
import type { ParentRef, UserOp } from '../../src/core/user-op.js'
import type { EntryKey, ViewEntry } from '../../src/core/view-entry.js'
import { bytes } from './user.js'

/** Mulberry32: small, seeded, good enough to choose test cases. */
export function seededRandom(seed: number): (below: number) => number {
  let state = seed >>> 0
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) % below
  }
}

interface ModelEntry {
  parent: string
  name: string
  readonly kind: 'file' | 'dir'
  root: string
  /** The view's key; absent for what this batch creates. */
  readonly key?: EntryKey
  moved?: boolean
  edited?: boolean
}

/** What one op does to one content: for the oracle of loss and resurrection. */
export interface ContentEvent {
  readonly type: 'made' | 'killed' | 'moved'
  readonly root: string
}

export interface RandomBatch {
  readonly ops: readonly UserOp[]
  /** The disk after the batch: path → root or `dir`. */
  readonly disk: ReadonlyMap<string, string>
  readonly events: readonly ContentEvent[]
}

const NAMES = ['a', 'b', 'c.txt']
const DEPTH_MAX = 4

/** A few valid ops on what a user sees, and the disk that they make, by a model of a disk. */
export class BatchMaker {
  readonly #random: (below: number) => number
  readonly #newText: () => string
  readonly #entries = new Map<string, ModelEntry>()
  readonly #deleted: ModelEntry[] = []
  readonly #events: ContentEvent[] = []
  #refs = 0

  constructor(
    seen: Iterable<[EntryKey, ViewEntry]>,
    random: (below: number) => number,
    newText: () => string,
  ) {
    this.#random = random
    this.#newText = newText
    for (const [key, { parent, name, kind, version }] of seen) {
      this.#entries.set(key, {
        key,
        parent,
        name,
        kind: kind === 'dir' ? 'dir' : 'file',
        root: version?.root ?? 'dir',
      })
    }
  }

  make(count: number): RandomBatch {
    for (let i = 0; i < count; i++) this.#step()
    return { ops: this.#ops(), disk: this.#paths(), events: this.#events }
  }

  #step(): void {
    const choice = this.#random(20)
    if (choice < 4) this.#create('file')
    else if (choice < 6) this.#create('dir')
    else if (choice < 10) this.#edit()
    else if (choice < 14) this.#move()
    else if (choice < 15) this.#swap()
    else if (choice < 16) this.#replace()
    else this.#delete()
  }

  #pick(filter: (entry: ModelEntry) => boolean = () => true): [string, ModelEntry] | undefined {
    const fitting = [...this.#entries].filter(([, entry]) => filter(entry))
    return fitting[this.#random(Math.max(1, fitting.length))]
  }

  #pickParent(): string {
    const dirs = [...this.#entries].filter(([id, e]) => e.kind === 'dir' && this.#depth(id) < DEPTH_MAX)
    const index = this.#random(dirs.length + 1)
    return dirs[index]?.[0] ?? ROOT
  }

  #depth(id: string): number {
    let depth = 0
    for (let at = id; at !== ROOT; at = this.#entries.get(at)!.parent) depth++
    return depth
  }

  #at(parent: string, name: string): [string, ModelEntry] | undefined {
    return [...this.#entries].find(([, e]) => e.parent === parent && e.name === name)
  }

  #isInside(id: string, dir: string): boolean {
    for (let at = id; at !== ROOT; at = this.#entries.get(at)!.parent) if (at === dir) return true
    return false
  }

  #name = (): string => NAMES[this.#random(NAMES.length)]!

  #create(kind: 'file' | 'dir'): void {
    const parent = this.#pickParent()
    const name = this.#name()
    if (this.#at(parent, name)) return
    const text = this.#newText()
    const root = kind === 'file' ? bytes(text).root : 'dir'
    this.#entries.set(`ref:${++this.#refs}`, { parent, name, kind, root })
    if (kind === 'file') this.#events.push({ type: 'made', root })
  }

  #edit(): void {
    const [, entry] = this.#pick((e) => e.kind === 'file' && e.key !== undefined && !e.edited) ?? []
    if (!entry) return
    const { root } = bytes(this.#newText())
    this.#events.push({ type: 'killed', root: entry.root }, { type: 'made', root })
    entry.root = root
    entry.edited = true
  }

  #move(): void {
    const [id, entry] = this.#pick((e) => e.key !== undefined && !e.moved) ?? []
    if (!id || !entry) return
    const parent = this.#random(2) === 0 ? entry.parent : this.#pickParent()
    const name = this.#random(3) === 0 ? entry.name : this.#name()
    if (this.#at(parent, name) || (parent !== ROOT && this.#isInside(parent, id))) return
    this.#place(entry, parent, name)
  }

  #place(entry: ModelEntry, parent: string, name: string): void {
    entry.parent = parent
    entry.name = name
    entry.moved = true
    if (entry.kind === 'file') this.#events.push({ type: 'moved', root: entry.root })
  }

  #swap(): void {
    const [id, one] = this.#pick((e) => e.key !== undefined && !e.moved) ?? []
    const [otherId, other] = this.#pick((e) => e.key !== undefined && !e.moved) ?? []
    if (!id || !otherId || !one || !other || one === other) return
    if (this.#isInside(id, otherId) || this.#isInside(otherId, id)) return
    const { parent, name } = one
    this.#place(one, other.parent, other.name)
    this.#place(other, parent, name)
  }

  /** Rename over an existing file. */
  #replace(): void {
    const [, entry] = this.#pick((e) => e.key !== undefined && !e.moved && e.kind === 'file') ?? []
    const [targetId, target] =
      this.#pick((e) => e.key !== undefined && e.kind === 'file' && !e.moved && !e.edited) ?? []
    if (!entry || !targetId || !target || entry === target) return
    this.#remove(targetId)
    this.#place(entry, target.parent, target.name)
  }

  #delete(): void {
    const [id] = this.#pick((e) => e.key !== undefined) ?? []
    if (!id) return
    const inside = [...this.#entries].filter(([other]) => this.#isInside(other, id))
    if (inside.some(([, e]) => e.key === undefined || e.moved || e.edited)) return
    for (const [other] of inside) this.#remove(other)
  }

  #remove(id: string): void {
    const entry = this.#entries.get(id)!
    this.#entries.delete(id)
    this.#deleted.push(entry)
    if (entry.kind === 'file') this.#events.push({ type: 'killed', root: entry.root })
  }

  #ops(): UserOp[] {
    const ops: UserOp[] = this.#deleted.map((e) => ({ type: 'delete', entry: e.key! }))
    for (const [id, e] of this.#entries) {
      const parent: ParentRef = e.parent.startsWith('ref:') ? { ref: e.parent } : { node: e.parent as NodeId }
      const content = { root: e.root as never, height: 0, size: 1, mtimeMs: 1 }
      if (e.key === undefined) {
        const imported = this.#random(4) === 0 ? { import: true } : {}
        const made = { type: 'create', ref: id, parent, name: e.name, kind: e.kind, ...imported } as const
        ops.push(e.kind === 'file' ? { ...made, content } : made)
        continue
      }
      if (e.edited) ops.push({ type: 'edit', entry: e.key, content })
      if (e.moved) ops.push({ type: 'move', entry: e.key, parent, name: e.name })
    }
    return ops.sort(() => this.#random(3) - 1)
  }

  #paths(): Map<string, string> {
    const pathOf = (e: ModelEntry): string =>
      e.parent === ROOT ? e.name : `${pathOf(this.#entries.get(e.parent)!)}/${e.name}`
    const paths = [...this.#entries.values()].map((e) => [pathOf(e), e.root] as const)
    return new Map(paths.sort(([a], [b]) => (a < b ? -1 : 1)))
  }
}
