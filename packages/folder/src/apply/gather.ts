import type { EntryKey, SpaceBinding, ViewEntry } from '@tidemark/engine'
import { type NodeEntry, type NodeId, ROOT } from '@tidemark/protocol'
import type { SyncedRow } from '../rows.js'
import type { RowsStore } from '../rows-store.js'
import { wantedLocalName } from '../wanted-name.js'
import { contentDiffers, executableDiffers, type Item } from './item.js'

export interface Gathered {
  readonly items: readonly Item[]
  /** Rows of all directories that the items are, stand in, or want to stand in. */
  readonly dirs: Map<EntryKey, SyncedRow>
  readonly settled: readonly SyncedRow[]
}

/**
 * Reads what a plan for these entries needs, and pulls in the entries that it would otherwise wait for:
 * directories still to be made, whoever holds a wanted place, what is left in a directory that goes, the
 * other entries of the same nodes. So the plan does not depend on which entries happened to come first.
 */
export function gather(
  source: { readonly space: Pick<SpaceBinding, 'received' | 'synced'>; readonly rows: RowsStore },
  keys: readonly EntryKey[],
): Promise<Gathered> {
  return new Gathering(source.space, source.rows).run(keys)
}

class Gathering {
  readonly #items = new Map<EntryKey, Item>()
  readonly #dirs = new Map<EntryKey, SyncedRow>()
  readonly #settled = new Map<EntryKey, SyncedRow>()
  readonly #noDirRow = new Set<EntryKey>()

  constructor(
    private readonly space: Pick<SpaceBinding, 'received' | 'synced'>,
    private readonly rows: RowsStore,
  ) {}

  async run(keys: readonly EntryKey[]): Promise<Gathered> {
    let frontier = [...new Set(keys)]
    while (frontier.length > 0) {
      const loaded = await this.#load(frontier)
      const wanted = new Set<EntryKey>()
      await Promise.all(loaded.map((item) => this.#neighbours(item, wanted)))
      frontier = [...wanted].filter((key) => !this.#items.has(key))
    }
    for (const key of this.#items.keys()) this.#settled.delete(key)
    return { items: [...this.#items.values()], dirs: this.#dirs, settled: [...this.#settled.values()] }
  }

  async #load(keys: readonly EntryKey[]): Promise<Item[]> {
    const rows = await this.rows.getMany(keys)
    return Promise.all(
      keys.map(async (key, i) => {
        const row = rows[i]
        const { want, nodes } = await this.#read(key, row)
        const item: Item = { key, row, want, nodes }
        this.#items.set(key, item)
        if (row?.entry.kind === 'dir') this.#dirs.set(key, row)
        return item
      }),
    )
  }

  /** Registers before the entry: a change in between makes them older than what is shown, never newer. */
  async #read(
    key: EntryKey,
    row: SyncedRow | undefined,
  ): Promise<{ want: ViewEntry | undefined; nodes: NodeEntry[] }> {
    const ids = new Set<NodeId>([nodeOf(key), ...(row?.entry.backing ?? [])])
    for (;;) {
      const nodes = await Promise.all([...ids].map((id) => this.space.received.node(id)))
      const want = await this.space.received.entry(key)
      const known = ids.size
      for (const id of want?.backing ?? []) ids.add(id)
      if (ids.size === known) return { want, nodes: nodes.filter((node) => node !== undefined) }
    }
  }

  async #neighbours(item: Item, wanted: Set<EntryKey>): Promise<void> {
    const { row, want } = item
    if (row) await this.#addDirs(row.dir)
    if (row && !want && row.entry.kind === 'dir') await this.#addChildren(row.key, wanted)
    if (want) await this.#addTarget(item, want, wanted)
    await this.#addRelatives(item, wanted)
  }

  async #addTarget({ key, row }: Item, want: ViewEntry, wanted: Set<EntryKey>): Promise<void> {
    if (!(await this.#addDirs(want.parent))) {
      wanted.add(want.parent)
      return
    }
    const name = wantedLocalName(row, want)
    if (row && row.dir === want.parent && row.localName === name) return
    const occupant = await this.rows.at(want.parent, name)
    if (occupant && occupant.key !== key) await this.#addOther(occupant, wanted)
  }

  /** Loads a directory's row and those above it. @returns whether it has one. */
  async #addDirs(dir: EntryKey): Promise<boolean> {
    for (let at = dir; at !== ROOT; ) {
      const known = this.#dirs.get(at)
      if (!known && this.#noDirRow.has(at)) return false
      const row = known ?? (await this.rows.get(at))
      if (!row) {
        this.#noDirRow.add(at)
        return false
      }
      this.#dirs.set(at, row)
      at = row.dir
    }
    return true
  }

  async #addChildren(dir: EntryKey, wanted: Set<EntryKey>): Promise<void> {
    for (const child of (await this.rows.inDirectory(dir)).values()) await this.#addOther(child, wanted)
  }

  /** An entry that may or may not differ from its row. */
  async #addOther(row: SyncedRow, wanted: Set<EntryKey>): Promise<void> {
    if (this.#items.has(row.key) || this.#settled.has(row.key)) return
    const want = await this.space.received.entry(row.key)
    if (want && !differs(row, want)) this.#settled.set(row.key, row)
    else wanted.add(row.key)
  }

  /**
   * Other entries of the same nodes: versions of a file, and nodes that merged or split. A node with one
   * version and no row is new and has none.
   */
  async #addRelatives({ key, row, want, nodes }: Item, wanted: Set<EntryKey>): Promise<void> {
    const keys = new Set<EntryKey>()
    for (const id of [...(row?.entry.backing ?? []), ...(want?.backing ?? [])]) keys.add(id)
    for (const node of nodes) addVersionKeys(node, keys)
    if (row) {
      const synced = await Promise.all(nodes.map(({ id }) => this.space.synced.node(id)))
      for (const node of synced) if (node) addVersionKeys(node, keys)
    }
    keys.delete(key)
    const others = [...keys].filter((other) => !this.#items.has(other))
    const rows = await this.rows.getMany(others)
    for (const [i, other] of others.entries()) if (rows[i]) wanted.add(other)
  }
}

function addVersionKeys({ id, content }: NodeEntry, keys: Set<EntryKey>): void {
  keys.add(id)
  const roots = new Set(content.map(({ value }) => value.root).filter((root) => root !== undefined))
  if (roots.size > 1) for (const root of roots) keys.add(`${id}:${root}`)
}

function differs(row: SyncedRow, want: ViewEntry): boolean {
  return (
    row.dir !== want.parent ||
    row.localName !== wantedLocalName(row, want) ||
    contentDiffers(row, want) ||
    executableDiffers(row, want)
  )
}

/** A key is a node, or a node and a root. */
const nodeOf = (key: EntryKey): NodeId => key.split(':')[0] as NodeId
