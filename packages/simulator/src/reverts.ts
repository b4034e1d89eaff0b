import type { Device } from './device.js'
import type { FolderDevice } from './folder-device.js'
import type { Ledger } from './ledger.js'
import { contentKey, EXECUTABLE, isFile } from './shown.js'

/**
 * People who may only read throw away what was not sent. Of what they alone show nothing is owed any more, as it
 * may have been sent or not; and what they had overwritten or deleted is back, if others show it.
 */
export class Reverts {
  /** What had been thrown away before, of those whose programs have not said yet that they are done. */
  readonly #underWay = new Map<FolderDevice, ReadonlySet<string>>()

  constructor(
    private readonly ledger: Ledger,
    private readonly devices: () => readonly Device[],
  ) {}

  async begin(device: FolderDevice): Promise<void> {
    const before = device.trash()
    this.#underWay.set(device, before)
    await this.#account(device, Object.values(device.tree()))
    device.revert(() => void this.#settle(device, before))
  }

  /** Programs that died may have done it, or a part of it. */
  async settle(): Promise<void> {
    for (const [device, before] of this.#underWay) await this.#settle(device, before)
  }

  async #settle(device: FolderDevice, before: ReadonlySet<string>): Promise<void> {
    this.#underWay.delete(device)
    await this.#account(
      device,
      [...device.trash()].filter((text) => !before.has(text)),
    )
  }

  /** @param texts What is thrown away, unless others show it. */
  async #account(device: FolderDevice, texts: readonly string[]): Promise<void> {
    const keys = new Set<string>()
    for (const other of this.devices()) {
      if (other === device) continue
      for (const key of Object.values(await other.shown())) keys.add(key.replace(EXECUTABLE, ''))
    }
    for (const text of this.ledger.givenUp) if (keys.has(contentKey(text))) this.ledger.doubt(text)
    for (const text of texts) {
      if (!isFile(text) || keys.has(contentKey(text))) continue
      this.ledger.gaveUp(text)
      this.ledger.doubt(text)
    }
  }
}
