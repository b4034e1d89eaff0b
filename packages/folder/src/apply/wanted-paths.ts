import type { EntryKey, ViewEntry } from '@tidemark/engine'
import { ROOT } from '@tidemark/protocol'
import { wantedLocalName } from '../wanted-name.js'
import type { Gathered } from './gather.js'
import type { Item } from './item.js'
import type { Locator } from './locator.js'

/** Where items want to stand, for people and for ignore rules. */
export class WantedPaths {
  readonly #byKey: ReadonlyMap<EntryKey, Item>

  constructor(
    { items }: Gathered,
    private readonly locator: Locator,
  ) {
    this.#byKey = new Map(items.map((item) => [item.key, item]))
  }

  of({ row, want }: Item): string {
    return want ? this.#wanted(want, wantedLocalName(row, want)) : this.current(row!)
  }

  current(row: NonNullable<Item['row']>): string {
    return this.locator.relative({ dir: row.dir, name: row.localName })
  }

  #wanted(entry: ViewEntry, name: string): string {
    const names = [name]
    let dir = entry.parent as EntryKey
    for (let depth = 0; dir !== ROOT && depth <= this.#byKey.size; depth++) {
      const item = this.#byKey.get(dir)
      if (!item?.want)
        return [this.locator.relativeDir(dir), ...names].filter((each) => each !== '').join('/')
      names.unshift(wantedLocalName(item.row, item.want))
      dir = item.want.parent
    }
    return names.join('/')
  }
}
