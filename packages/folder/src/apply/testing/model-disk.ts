import type { EntryKey } from '@tidemark/engine'
import { entryKey } from '@tidemark/engine'
import { ROOT } from '@tidemark/protocol'
import { STAGING_DIR, type SyncedRow } from '../../rows.js'
import { wantedLocalName } from '../../wanted-name.js'
import type { Item } from '../item.js'
import { type DirId, newDirId, type Place, type Step } from '../step.js'
import { entryOf, nodeId, type Thing } from './fake-space.js'

export function rowOf(thing: Thing): SyncedRow {
  const entry = entryOf(thing)
  const stamp = { dev: '1', ino: entryKey(entry), birthtimeNs: '0', size: 0, mtimeNs: '0', ctimeNs: '0' }
  return {
    key: entryKey(entry),
    dir: nodeId(thing.in),
    localName: thing.name,
    entry,
    fingerprint: { ...stamp, mode: 0o644, nlink: 1 },
  }
}

/** Items of all entries that differ between two trees. */
export function itemsBetween(before: readonly Thing[], after: readonly Thing[]): Item[] {
  const rows = new Map(before.map((thing) => [rowOf(thing).key, rowOf(thing)]))
  const wants = new Map(after.map((thing) => [entryKey(entryOf(thing)), entryOf(thing)]))
  const items: Item[] = []
  for (const key of new Set([...rows.keys(), ...wants.keys()])) {
    const [row, want] = [rows.get(key), wants.get(key)]
    if (row && want && JSON.stringify(row.entry) === JSON.stringify(want)) continue
    const kind = (want ?? row!.entry).kind
    const ids = new Set([...(row?.entry.backing ?? []), ...(want?.backing ?? [])])
    items.push({
      key,
      row,
      want,
      nodes: [...ids].map((id) => ({ id, kind, loc: [], content: [], attr: [] })),
    })
  }
  return items
}

interface Standing {
  place: Place
  readonly isDirectory: boolean
  content: string
}

/** A disk that refuses what a real one refuses, and names things as plans do. */
export class ModelDisk {
  readonly #things = new Map<DirId, Standing>()

  constructor(before: readonly Thing[]) {
    for (const thing of before) {
      const row = rowOf(thing)
      this.#things.set(row.key, {
        place: { dir: row.dir, name: row.localName },
        isDirectory: row.entry.kind === 'dir',
        content: contentOf(row.entry),
      })
    }
  }

  /** @throws when a step is not possible on a disk. */
  perform(step: Step): void {
    const { item } = step
    const id = item.row?.key ?? newDirId(item.key)
    switch (step.type) {
      case 'note':
        return
      case 'remove':
      case 'rmdir':
        if (![...this.#things.values()].every(({ place }) => place.dir !== id)) throw new Error('not empty')
        if (!this.#things.delete(id)) throw new Error('nothing there')
        return
      case 'mkdir':
      case 'create':
        this.#mustBeFree(step.to)
        this.#things.set(id, {
          place: step.to,
          isDirectory: step.type === 'mkdir',
          content: contentOf(item.want!),
        })
        return
      case 'move':
      case 'land':
      case 'lift': {
        const to = step.type === 'lift' ? { dir: STAGING_DIR, name: id } : step.to
        this.#mustBeFree(to)
        for (let at = this.#things.get(to.dir); at; at = this.#things.get(at.place.dir)) {
          if (at === this.#things.get(id)) throw new Error('into itself')
        }
        this.#things.get(id)!.place = to
        return
      }
      case 'replace':
      case 'chmod':
        this.#things.get(id)!.content = contentOf(item.want!)
    }
  }

  #mustBeFree(to: Place): void {
    const isDirectory =
      to.dir === ROOT || to.dir === STAGING_DIR || this.#things.get(to.dir)?.isDirectory === true
    if (!isDirectory) throw new Error('no such directory')
    for (const { place } of this.#things.values()) {
      if (place.dir === to.dir && place.name === to.name) throw new Error('occupied')
    }
  }

  tree(): Record<string, string> {
    const pathOf = ({ place }: Standing): string => {
      const above = this.#things.get(place.dir)
      return above ? `${pathOf(above)}/${place.name}` : place.name
    }
    return Object.fromEntries([...this.#things.values()].map((thing) => [pathOf(thing), thing.content]))
  }
}

function contentOf({ kind, version, executable }: Item['want'] & object): string {
  if (kind === 'dir') return '/'
  return `${version?.target === undefined ? '' : '->'}${version?.root}${executable ? '*' : ''}`
}

export function modelTree(things: readonly Thing[]): Record<string, string> {
  return new ModelDisk(things).tree()
}

/** Key of each thing, for tests that block some. */
export const keyOf = (thing: Thing): EntryKey => entryKey(entryOf(thing))
export const isUnmoved = (item: Item): boolean =>
  item.row !== undefined &&
  item.want !== undefined &&
  item.row.localName === wantedLocalName(item.row, item.want)
