import type { Replica, Timers } from '@tidemark/engine'
import { bindFolder, type FolderBinding, type FolderPlatform } from '@tidemark/folder'
import { SimulatedDisk } from '@tidemark/folder/testing'
import { Amid } from './amid.js'
import { Device, type DeviceParts } from './device.js'
import { DiskLooks, type SeenTree } from './disk-looks.js'
import type { Death, Life } from './life.js'
import type { SimRandom } from './random.js'
import type { Shown } from './shown.js'
import { SPACE } from './space.js'
import { DiskTroubles, troubledDisk } from './troubled-disk.js'
import { simulatedWatcher } from './watcher.js'

export const ROOT = '/home'
const COARSE_STAMP_NS = 2_000_000_000

/** A disk with a folder on it, and a program that keeps it in sync. */
export class FolderDevice extends Device {
  readonly disk: SimulatedDisk
  readonly troubles = new DiskTroubles()
  readonly amid = new Amid(ROOT, `${ROOT}/.tidemark`)
  /** Watch events are lost, and nobody is told. */
  isDeaf = false
  readonly #looks: DiskLooks
  #binding: FolderBinding | undefined
  #ids = 0

  constructor(name: string, parts: DeviceParts, isCoarse: boolean) {
    super(name, parts)
    this.disk = new SimulatedDisk({ clock: parts.time, ...(isCoarse ? { stampNs: COARSE_STAMP_NS } : {}) })
    this.disk.mkdir(ROOT)
    this.disk.fsync('/')
    this.#looks = new DiskLooks(this.disk, ROOT)
  }

  /** A copy of another machine's disk and database, which runs beside it. */
  static cloneOf(other: FolderDevice, name: string, parts: DeviceParts): FolderDevice {
    const clone = new FolderDevice(name, parts, false)
    clone.takeDatabaseOf(other)
    copyTree(other.disk, clone.disk, ROOT)
    return clone
  }

  protected override async run(replica: Replica, life: Life, timers: Timers): Promise<void> {
    const { time, planted } = this.parts
    const space = await replica.openSpace(SPACE, { bound: true })
    const isAlive = () => life.isAlive
    const onTrap = (death: Death): void => {
      life.end()
      this.death = death
      this.parts.note(`${this.name} dies between two calls`)
    }
    const disk = troubledDisk(this.amid.over(this.disk), { troubles: this.troubles, isAlive, onTrap })
    const files = planted?.files?.(disk) ?? disk
    const openWatcher = simulatedWatcher({
      disk: this.disk,
      time,
      random: this.random,
      isAlive,
      isDeaf: () => this.isDeaf,
    })
    const platform: FolderPlatform = {
      files,
      openWatcher: planted?.watcher?.(openWatcher) ?? openWatcher,
      clock: time,
      timers,
      lock: () => () => undefined,
      realDirectory: (path) => path,
      newId: () => `${this.name}-${this.#ids++}`,
    }
    const onEvent = ({ type, path, detail }: { type: string; path: string; detail: string }): void => {
      if (life.isAlive) this.parts.note(`${this.name} ${type} ${path}: ${detail}`)
    }
    const binding = planted?.space?.(space.binding, files) ?? space.binding
    this.#binding = await bindFolder(binding, ROOT, { onEvent }, platform)
  }

  /** Its user sees that the hub refused something, and asks for another attempt. */
  tryAgain(): void {
    const problems = this.#binding?.status.problems ?? []
    if (problems.some(({ cause }) => cause === 'refused-by-hub')) this.#binding!.rescan()
  }

  override async kill(): Promise<void> {
    const isBare = this.death === 'bare'
    await super.kill()
    if (isBare) this.disk.powerCut({ below: () => 0 })
    else this.disk.endPrograms()
  }

  override async powerCut(random: SimRandom): Promise<void> {
    await super.powerCut(random)
    this.disk.powerCut(random)
  }

  override isIdle(): boolean {
    return this.isRunning && this.#binding?.status.state === 'idle'
  }

  override explain(): string {
    return JSON.stringify(this.#binding?.status)
  }

  /** As its user does whose database is older than the binding of the folder. */
  async acceptFolder(): Promise<void> {
    if (this.#binding?.status.held?.reason.includes('bound by another database')) await this.#binding.accept()
  }

  /** Its hub lets it only read, and its user changed something. */
  get holdsUnsent(): boolean {
    return this.isRunning && this.#binding?.status.held?.reason.includes('may only read') === true
  }

  /** Its user throws that away. @param onEnd It is done, or was not possible; not told if the program dies. */
  revert(onEnd: () => void): void {
    const told = (outcome: string): void => {
      this.parts.note(`${this.name} reverted: ${outcome}`)
      onEnd()
    }
    this.#binding?.revert().then(
      (problems) => told(`${problems.length} problems`),
      (error: Error) => told(`refused: ${error.message}`),
    )
  }

  /** Every directory may be entered again. */
  allow(): void {
    const denied = [...this.troubles.denied]
    this.troubles.denied.clear()
    // As chmod: whoever watches is told.
    for (const path of denied) {
      try {
        const stat = this.disk.lstat(path)
        if (stat) this.disk.chmod(path, stat.mode)
      } catch (error) {
        // On the way there a link may stand by now that leads to itself.
        if (!String(error).includes('ELOOP')) throw error
      }
    }
  }

  override heal(): void {
    super.heal()
    this.allow()
    this.troubles.isFull = false
    this.troubles.trap.clear()
    this.troubles.fault.clear()
    this.amid.disarm()
    this.isDeaf = false
  }

  get nowMs(): number {
    return this.parts.time.nowMs()
  }

  /** Path → text, `→ target` or `/`, of all that a user sees. */
  tree(): SeenTree {
    return this.#looks.tree
  }

  /** Texts that the program took away from what its user sees. */
  trash(): ReadonlySet<string> {
    return this.#looks.trash
  }

  /** Texts that are anywhere but where the program keeps its own. */
  texts(): ReadonlySet<string> {
    return this.#looks.outside
  }

  /** @param path As in `tree`. */
  isDenied(path: string): boolean {
    return this.troubles.isDenied(`${ROOT}/${path}`)
  }

  override async shown(): Promise<Shown> {
    return this.#looks.shown
  }

  override async holds(texts: readonly string[]): Promise<readonly string[]> {
    return texts.filter((text) => this.#looks.texts.has(text))
  }
}

function copyTree(from: SimulatedDisk, to: SimulatedDisk, directory: string): void {
  for (const name of from.readdir(directory).map(String).sort()) {
    const path = `${directory}/${name}`
    const { kind, mode, mtimeNs } = from.lstat(path)!
    const mtimeMs = Number(BigInt(mtimeNs) / 1_000_000n)
    if (kind === 'symlink') to.symlink(Buffer.from(from.readlink(path)).toString(), path)
    else if (kind === 'file') {
      to.writeNew(path, from.readFile(path), { mode, mtimeMs })
      to.fsync(path)
    } else {
      to.mkdir(path, mode)
      copyTree(from, to, path)
    }
    to.fsync(directory)
  }
}
