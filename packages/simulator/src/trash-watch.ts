import { type FolderDevice, ROOT } from './folder-device.js'

const TRASH = `${ROOT}/.tidemark/trash`

const KEPT_MS = 30 * 24 * 3_600_000

/** What is thrown away is kept for thirty days, whatever the clock says. */
export class TrashWatch {
  /** When each group was seen first. */
  readonly #kept = new Map<FolderDevice, ReadonlyMap<string, number>>()
  /** How each disk was then. */
  readonly #seen = new Map<FolderDevice, number>()

  /** @returns what this device threw away together, not so long ago, and has no more. */
  emptied(device: FolderDevice, monotonicMs: number): string[] {
    const { disk } = device
    if (this.#seen.get(device) === disk.changes) return []
    this.#seen.set(device, disk.changes)
    const names = disk.lstat(TRASH) ? disk.readdir(TRASH).map(String) : []
    const groups = new Set(names.filter((name) => disk.lstat(`${TRASH}/${name}`)?.kind === 'dir'))
    const before = this.#kept.get(device) ?? new Map<string, number>()
    this.#kept.set(device, new Map([...groups].map((name) => [name, before.get(name) ?? monotonicMs])))
    const isDue = ([name, sinceMs]: readonly [string, number]): boolean =>
      !groups.has(name) && monotonicMs - sinceMs < KEPT_MS
    return [...before].filter(isDue).map(([name]) => name)
  }

  /** A power cut may have undone what was not durable. */
  forget(device: FolderDevice): void {
    this.#kept.delete(device)
  }
}
