import { type NodeId, ROOT } from '@tidemark/protocol'
import type { ParentRef, UserOp } from '../../core/user-op.js'
import { type EntryKey, entryKey, type ViewEntry } from '../../core/view-entry.js'
import type { SeededRandom } from './random.js'
import { contentOf } from './user.js'

const NAMES = ['a', 'b', 'c.txt'] as const
const DEPTH_MAX = 4
/** How often a user does what. */
const ACTS = { create: 4, mkdir: 2, edit: 4, move: 4, swap: 1, replace: 1, remove: 4 } as const

interface Item {
  parent: string
  name: string
  readonly kind: 'file' | 'dir'
  /** Of its bytes; `dir` for a directory. */
  root: string
  /** Absent for what this batch makes. */
  readonly key?: EntryKey
  isMoved?: boolean
  isEdited?: boolean
}

/** What a user does at once, and what the user's disk must look like afterwards. */
export interface Batch {
  readonly ops: readonly UserOp[]
  /** Path → root or `dir`, sorted. */
  readonly disk: ReadonlyMap<string, string>
}

/** Some valid ops on the entries that a user sees. */
export function makeBatch(entries: readonly ViewEntry[], random: SeededRandom, newText: () => string): Batch {
  const desk = new Desk(entries, random, newText)
  for (let count = 1 + random.below(4); count > 0; count--) desk.act()
  return { ops: desk.ops(), disk: desk.paths() }
}

/** Path → root or `dir`, sorted. */
export function pathsOf(entries: readonly ViewEntry[]): Map<string, string> {
  const parents = new Map<string, ViewEntry>(entries.map((entry) => [entryKey(entry), entry]))
  return sortedPaths(
    entries.map((entry) => ({ ...entry, root: entry.version?.root ?? 'dir' })),
    (id) => parents.get(id),
  )
}

function sortedPaths(
  items: readonly { parent: string; name: string; root: string }[],
  find: (id: string) => { parent: string; name: string } | undefined,
): Map<string, string> {
  const pathOf = (item: { parent: string; name: string }): string =>
    item.parent === ROOT
      ? item.name
      : `${pathOf(find(item.parent) ?? { parent: ROOT, name: '?' })}/${item.name}`
  const paths = items.map((item) => [pathOf(item), item.root] as const)
  return new Map(paths.sort(([a], [b]) => (a < b ? -1 : 1)))
}

/** A model of the disk, which knows nothing of registers. */
class Desk {
  readonly #random: SeededRandom
  readonly #newText: () => string
  readonly #items = new Map<string, Item>()
  readonly #texts = new Map<string, string>()
  readonly #deleted: Item[] = []

  constructor(entries: readonly ViewEntry[], random: SeededRandom, newText: () => string) {
    this.#random = random
    this.#newText = newText
    for (const entry of entries) {
      const { parent, name, kind, version } = entry
      const key = entryKey(entry)
      this.#items.set(key, {
        key,
        parent,
        name,
        kind: kind === 'dir' ? 'dir' : 'file',
        root: version?.root ?? 'dir',
      })
    }
  }

  act(): void {
    const acts = {
      create: () => this.#create('file'),
      mkdir: () => this.#create('dir'),
      edit: () => this.#edit(),
      move: () => this.#move(),
      swap: () => this.#swap(),
      replace: () => this.#replace(),
      remove: () => this.#remove(),
    }
    acts[this.#random.weighted(ACTS)]()
  }

  ops(): UserOp[] {
    const ops: UserOp[] = this.#deleted.map(({ key }) => ({ type: 'delete', entry: key! }))
    for (const [id, { key, parent: dir, name, kind, root, isEdited, isMoved }] of this.#items) {
      const parent: ParentRef = dir.startsWith('ref:') ? { ref: dir } : { node: dir as NodeId }
      if (key === undefined) {
        const made = { type: 'create', ref: id, parent, name, kind } as const
        ops.push(kind === 'dir' ? made : { ...made, content: contentOf(this.#texts.get(root)!) })
        continue
      }
      if (isEdited) ops.push({ type: 'edit', entry: key, content: contentOf(this.#texts.get(root)!) })
      if (isMoved) ops.push({ type: 'move', entry: key, parent, name })
    }
    for (let i = ops.length - 1; i > 0; i--) {
      const j = this.#random.below(i + 1)
      ;[ops[i], ops[j]] = [ops[j]!, ops[i]!]
    }
    return ops
  }

  paths(): Map<string, string> {
    return sortedPaths([...this.#items.values()], (id) => this.#items.get(id))
  }

  #create(kind: 'file' | 'dir'): void {
    const parent = this.#pickParent()
    const name = this.#random.pick(NAMES)
    if (this.#at(parent, name)) return
    this.#items.set(`ref:${this.#items.size}:${this.#deleted.length}`, {
      parent,
      name,
      kind,
      root: kind === 'file' ? this.#newRoot() : 'dir',
    })
  }

  #edit(): void {
    const [, item] = this.#pick((other) => other.kind === 'file' && !other.isEdited) ?? []
    if (!item) return
    item.root = this.#newRoot()
    item.isEdited = true
  }

  #move(): void {
    const [id, item] = this.#pick((other) => !other.isMoved) ?? []
    if (id === undefined || !item) return
    const parent = this.#random.chance(0.5) ? item.parent : this.#pickParent()
    const name = this.#random.chance(0.3) ? item.name : this.#random.pick(NAMES)
    if (this.#at(parent, name) || (parent !== ROOT && this.#isInside(parent, id))) return
    this.#put(item, parent, name)
  }

  #swap(): void {
    const [id, one] = this.#pick((other) => !other.isMoved) ?? []
    const [otherId, other] = this.#pick((item) => !item.isMoved) ?? []
    if (id === undefined || otherId === undefined || !one || !other || one === other) return
    if (this.#isInside(id, otherId) || this.#isInside(otherId, id)) return
    const { parent, name } = one
    this.#put(one, other.parent, other.name)
    this.#put(other, parent, name)
  }

  /** A rename over an existing file. */
  #replace(): void {
    const [, item] = this.#pick((other) => !other.isMoved && other.kind === 'file') ?? []
    const [targetId, target] =
      this.#pick((other) => other.kind === 'file' && !other.isMoved && !other.isEdited) ?? []
    if (!item || targetId === undefined || !target || item === target) return
    this.#items.delete(targetId)
    this.#deleted.push(target)
    this.#put(item, target.parent, target.name)
  }

  #remove(): void {
    const [id] = this.#pick(() => true) ?? []
    if (id === undefined) return
    const inside = [...this.#items].filter(([other]) => this.#isInside(other, id))
    if (inside.some(([, item]) => item.key === undefined || item.isMoved || item.isEdited)) return
    for (const [other, item] of inside) {
      this.#items.delete(other)
      this.#deleted.push(item)
    }
  }

  #put(item: Item, parent: string, name: string): void {
    item.parent = parent
    item.name = name
    item.isMoved = true
  }

  #newRoot(): string {
    const text = this.#newText()
    const { root } = contentOf(text)
    this.#texts.set(root, text)
    return root
  }

  /** One of those that were there before the batch. */
  #pick(fits: (item: Item) => boolean): [string, Item] | undefined {
    const fitting = [...this.#items].filter(([, item]) => item.key !== undefined && fits(item))
    return fitting.length > 0 ? this.#random.pick(fitting) : undefined
  }

  #pickParent(): string {
    const dirs = [...this.#items].filter(([id, { kind }]) => kind === 'dir' && this.#depth(id) < DEPTH_MAX)
    return this.#random.pick([ROOT, ...dirs.map(([id]) => id)])
  }

  #depth(id: string): number {
    return id === ROOT ? 0 : 1 + this.#depth(this.#items.get(id)!.parent)
  }

  #at(parent: string, name: string): boolean {
    return [...this.#items.values()].some((item) => item.parent === parent && item.name === name)
  }

  #isInside(id: string, dir: string): boolean {
    return id === dir || (id !== ROOT && this.#isInside(this.#items.get(id)!.parent, dir))
  }
}
