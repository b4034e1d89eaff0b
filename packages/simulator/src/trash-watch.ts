import { type FolderDevice, ROOT } from './folder-device.js'

const TRASH = `${ROOT}/.tidemark/trash`

/** What is thrown away is kept for thirty days, longer than any run, whatever the clock says. */
export class TrashWatch {
  readonly #kept = new Map<FolderDevice, ReadonlySet<string>>()

  /** @returns what this device threw away together and has no more. */
  emptied(device: FolderDevice): string[] {
    const { disk } = device
    const names = disk.lstat(TRASH) ? disk.readdir(TRASH).map(String) : []
    const groups = new Set(names.filter((name) => disk.lstat(`${TRASH}/${name}`)?.kind === 'dir'))
    const before = this.#kept.get(device) ?? new Set()
    this.#kept.set(device, groups)
    return [...before].filter((name) => !groups.has(name))
  }

  /** A power cut may have undone what was not durable. */
  forget(device: FolderDevice): void {
    this.#kept.delete(device)
  }
}
