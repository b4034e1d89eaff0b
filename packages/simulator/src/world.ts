import type { MemoryKeyValueStore } from '@tidemark/engine'
import type { Adapters } from './adapters.js'
import { ApiDevice } from './api-device.js'
import { ApiUser } from './api-user.js'
import { STORE_TROUBLES, type StoreTrouble } from './blob-link.js'
import { CutOff } from './cut-off.js'
import type { Device, DeviceParts } from './device.js'
import { FileUser } from './file-user.js'
import { FolderDevice, ROOT } from './folder-device.js'
import { HUB, SimHub } from './hub.js'
import { brief, Ledger } from './ledger.js'
import { DEATHS, type Death, type Trap } from './life.js'
import { fromScriptPath, toScriptPath } from './names.js'
import type { PlantedBug } from './planted-bug.js'
import { SimRandom } from './random.js'
import { Reverts } from './reverts.js'
import { type Act, type DeviceKind, formatAct, type Script, TROUBLES } from './script.js'
import { RULES_FILE } from './shown.js'
import type { Trace } from './trace.js'
import { RestlessError, VirtualTime } from './virtual-time.js'

const MS_PER_DAY = 24 * 3_600_000
/** The path of `amid` that is whatever the call is about. */
const HERE = '.'

const ACCESS = { demote: 'read', banish: 'nothing', readmit: 'write' } as const

/** A device and who sits at it. */
export type Site =
  | { readonly device: FolderDevice; readonly user: FileUser }
  | { readonly device: ApiDevice; readonly user: ApiUser }

export interface WorldParts {
  readonly script: Pick<Script, 'seed' | 'devices'>
  readonly trace: Trace
  readonly planted: PlantedBug | undefined
  readonly adapters: Adapters
  readonly sweeps: boolean
  /** Bytes were seen that nobody wrote. */
  onStrange(where: string, text: string): void
}

/** Months of sweeping teach nothing that hours do not. */
const SWEPT_WAIT_MS_MAX = 3_600_000

/** Of the trace, behind one act, or once all is healed: a run of 300 acts notes about a thousand. */
const LINES_MAX = 20_000

/** The devices, the hub, the time, and everything that can happen to them. */
export class World {
  readonly time: VirtualTime
  readonly hub: SimHub
  readonly ledger = new Ledger()
  readonly sites = new Map<string, Site>()
  readonly #robbed: string[] = []
  /** Watch events were lost without notice: only the next full scan finds what they told of. */
  hasLostEvents = false
  /** A database went back to a backup, or runs twice. */
  hasOldDatabases = false
  /** The hub may show what it has no bytes of any more. */
  hasOldHub = false
  /** What users did was not durable, and may be undone. */
  hasPowerCuts = false
  /** Somebody laid hands on a file of rules: what it hid may be everybody's. */
  hasChangedRules = false
  /** Whoever holds one of these may have an older database since somebody last asked. */
  readonly thrownBack = new Set<string>()

  readonly cutOff = new CutOff()
  readonly #reverts = new Reverts(this.ledger, () => this.devices)

  /** Of the trace, when the last act began. */
  #linesBefore = 0

  private constructor(private readonly parts: WorldParts) {
    this.time = new VirtualTime(parts.adapters.outside, () => this.#mustEnd())
    this.hub = new SimHub(
      this.time,
      parts.script.seed,
      (line) => parts.trace.note(line),
      parts.adapters,
      ({ back }) => {
        for (const key of back) this.ledger.movedKey(key)
      },
      () => this.cutOff.note(this.#unheard(), this.hub.storage),
      parts.planted,
      parts.sweeps,
    )
    parts.trace.clock = () => this.time.monotonicMs()
  }

  static async open(parts: WorldParts): Promise<World> {
    const world = new World(parts)
    await world.hub.start()
    for (const kind of parts.script.devices) world.#add(kind.name, world.#make(kind))
    for (const { device } of world.sites.values()) await device.start()
    return world
  }

  /** Databases of those who may have written what the hub has not. */
  #unheard(): MemoryKeyValueStore[] {
    return this.devices.filter((device) => !device.isIdle()).map(({ storage }) => storage)
  }

  /** The hub may show for a while what it has no bytes of. */
  get mayLackBytes(): boolean {
    return this.hasOldHub || this.parts.sweeps
  }

  get devices(): Device[] {
    return [...this.sites.values()].map(({ device }) => device)
  }

  get folders(): FolderDevice[] {
    return this.devices.filter((device) => device instanceof FolderDevice)
  }

  /** Who does one thing over and over, with pauses, would keep the run from its end. @throws {RestlessError} */
  #mustEnd(): void {
    const { trace } = this.parts
    if (trace.lines.length - this.#linesBefore < LINES_MAX) return
    throw new RestlessError(`no end after ${LINES_MAX} lines, the last: ${trace.lines.at(-1)}`)
  }

  /** Does it, and notes it. What makes no sense here and now is refused: scripts are cut to pieces. */
  async perform(act: Act): Promise<void> {
    this.#linesBefore = this.parts.trace.lines.length
    await this.#do(act)
    for (const device of this.devices) {
      if (device.isZombie) await this.#stop(device, () => device.kill())
      if (device.takeHasLost()) this.thrownBack.add(device.name)
    }
    await this.#reviveHub()
  }

  /** If it died by itself, or had no room to start. */
  async #reviveHub(): Promise<void> {
    while (this.hub.isZombie) {
      this.thrownBack.add('hub')
      await this.hub.revive()
    }
    if (this.hub.isOut) await this.hub.start()
  }

  async #do(act: Act): Promise<void> {
    const { trace } = this.parts
    const line = formatAct(act)
    if (act.verb === 'wait') {
      const ms = Number(act.args[0])
      await this.time.pass(this.parts.sweeps ? Math.min(ms, SWEPT_WAIT_MS_MAX) : ms)
      return
    }
    trace.note(`${line}: ${TROUBLES.has(act.verb) ? await this.#happen(act) : this.#act(act)}`)
  }

  /** Nothing is the matter any more, with anybody. */
  async heal(): Promise<void> {
    this.parts.trace.note('healing')
    this.hub.heal()
    // It died in the last moment.
    await this.#reviveHub()
    for (const { device } of this.sites.values()) {
      device.database.trap.clear()
      device.storeTrap.clear()
      device.database.volume.isFull = false
      device.heal()
    }
    await this.#reverts.settle()
    this.throwAwayWhatIsPrivate()
    for (const { device } of this.sites.values()) {
      // It died in the last moment.
      if (device.isZombie) await device.kill()
      if (!(await device.start())) throw new TypeError(`${device.name} does not start`)
    }
  }

  /**
   * Where it was kept a directory may stand that is deleted for everybody else: it goes by itself then. To be said
   * again while all is healed: what others had sent before there were rules may come, and rules behind it.
   */
  throwAwayWhatIsPrivate(): void {
    for (const { device, user } of this.sites.values()) {
      if (!(user instanceof FileUser)) continue
      const gone = user.privateFiles.throwAway()
      if (gone.length > 0 && !this.hasPowerCuts)
        this.#robbed.push(`${device.name} took ${gone.map(brief).join(', ')}`)
    }
  }

  /** Programs that took away what their users shared with nobody. */
  get robbed(): readonly string[] {
    return this.#robbed
  }

  /** What rules hide. */
  get secrets(): ReadonlySet<string> {
    const users = [...this.sites.values()].flatMap(({ user }) => (user instanceof FileUser ? user : []))
    return new Set(users.flatMap(({ privateFiles }) => [...privateFiles.secrets]))
  }

  async end(): Promise<void> {
    for (const device of this.devices) await device.kill()
  }

  #act({ verb, args: [name = '', ...args] }: Act): string {
    const site = this.sites.get(name)
    if (!site) return 'refused: nobody'
    return site.user.knows(verb) ? this.#does(site.user, verb, args) : 'refused: no such verb'
  }

  #does(user: Site['user'], verb: string, args: readonly string[]): string {
    this.hasChangedRules ||= args.some((path) => path.split('/').at(-1)!.startsWith(RULES_FILE))
    return user.act(verb, args)
  }

  /** Before one of the next calls of a program, somebody at its device does something. */
  #lieInWait([name = '', calls, verb = '', path = '', ...rest]: readonly string[]): string {
    const { device, user } = this.sites.get(name) ?? {}
    if (!(device instanceof FolderDevice) || !(user instanceof FileUser)) return 'refused: no folder'
    if (!user.knows(verb)) return 'refused: no such verb'
    device.amid.arm(Number(calls), (real) => {
      const args = [path === HERE ? toScriptPath(real, user.namesIn) : path, ...rest]
      this.parts.trace.note(`amid ${name} ${verb} ${args.join(' ')}: ${this.#does(user, verb, args)}`)
    })
    return 'done'
  }

  async #happen({ verb, args }: Act): Promise<string> {
    if (verb === 'amid') return this.#lieInWait(args)
    const [about = '', value = '', ...rest] = args
    if (verb === 'trap') return this.#trap(about, [value, ...rest]) ? 'done' : 'refused'
    if (verb === 'fail') return this.#fail(about, [value, ...rest]) ? 'done' : 'refused'
    if (verb === 'clock') {
      this.time.jump(Number(about) * MS_PER_DAY)
      return 'done'
    }
    if (verb === 'store') {
      if (!STORE_TROUBLES.has(about)) return 'refused: unknown'
      this.hub.storeTrouble = about === 'heals' ? 'none' : (about as StoreTrouble)
      return 'done'
    }
    if (verb === 'refuse') {
      if (!/^\d{1,3}$/.test(about)) return 'refused: no share'
      this.hub.moods.percent = Number(about)
      return 'done'
    }
    if (verb === 'stranger') {
      this.hub.admitStranger(new SimRandom(Number(about)))
      return 'done'
    }
    if (verb === 'contradictor') {
      this.hub.admitContradictor(new SimRandom(Number(about)))
      return 'done'
    }
    if (verb === 'forger') {
      await this.hub.admitForger(new SimRandom(Number(about)))
      return 'done'
    }
    if (about === 'hub') return this.#happenToHub(verb, new SimRandom(Number(value)))
    const site = this.sites.get(about)
    if (!site) return 'refused: nobody'
    const isDone = await this.#happenTo(verb, site.device, value)
    return isDone ? 'done' : 'refused'
  }

  /** @returns whether it is set: at a database, at a disk, or on the way to the blob store. */
  #trap(about: string, words: readonly string[]): boolean {
    const isOfPlace = words[0] === 'db' || words[0] === 'store'
    const [count = '', death = 'before'] = isOfPlace ? words.slice(1) : words
    if (!/^\d+$/.test(count) || !DEATHS.includes(death)) return false
    // Deletions that nobody made durable are undone.
    this.hasPowerCuts ||= death === 'bare' || death === 'rowless'
    const trap = this.#trapAt(about, isOfPlace ? words[0] : undefined)
    trap?.set(Number(count), death as Death)
    return trap !== undefined
  }

  /** @returns whether calls of a program will fail, and it lives. */
  #fail(about: string, [calls = '', failures = '1', what]: readonly string[]): boolean {
    const device = this.sites.get(about)?.device
    if (!(device instanceof FolderDevice) || !/^\d+$/.test(calls) || !/^\d+$/.test(failures)) return false
    device.troubles.fault.set(Number(calls), Number(failures), what === 'looks')
    return true
  }

  /** @param place A device's disk, and the hub's database, if it is not said. */
  #trapAt(about: string, place: string | undefined): Trap | undefined {
    const device = about === HUB ? this.hub : this.sites.get(about)?.device
    if (place === 'store') return device?.storeTrap
    if (place === 'db' || device === this.hub) return device?.database.trap
    return device instanceof FolderDevice ? device.troubles.trap : undefined
  }

  async #happenToHub(verb: string, random: SimRandom): Promise<string> {
    if (verb === 'backup') this.hub.backUp()
    else if (verb === 'fill' || verb === 'room') this.hub.database.volume.isFull = verb === 'fill'
    else if (verb === 'rollback') {
      if (!(await this.hub.rollBack(random))) return 'refused: no backup'
      this.hasOldHub = true
      this.hasOldDatabases = true
      this.thrownBack.add('hub')
    } else if (verb === 'crash') {
      await this.hub.crash(random)
      this.thrownBack.add('hub')
    } else return 'refused: unknown'
    return 'done'
  }

  /** @returns whether it happened. */
  async #happenTo(verb: string, device: Device, value: string): Promise<boolean> {
    const { hub } = this
    switch (verb) {
      case 'cut':
        hub.cut(device.name)
        return true
      case 'kill':
        await device.kill()
        return true
      case 'power':
        await this.#stop(device, () => device.powerCut(new SimRandom(Number(value))))
        this.hasPowerCuts = true
        this.thrownBack.add(device.name)
        return true
      case 'start':
        return device.start()
      case 'backup':
        device.backUp()
        return true
      case 'rollback': {
        if (!(await device.rollBack())) return false
        this.hasOldDatabases = true
        this.thrownBack.add(device.name)
        await device.start()
        return true
      }
      case 'away':
      case 'return':
        hub.setAway(device.name, verb === 'away')
        return true
      case 'demote':
      case 'banish':
      case 'readmit':
        hub.setAccess(device.name, ACCESS[verb])
        return true
      case 'garble':
      case 'falsify':
      case 'accuse':
        hub.tamper(device.name, verb, new SimRandom(Number(value)))
        return true
      case 'extend':
        hub.extend(device.name, new SimRandom(Number(value)))
        return true
      case 'slow':
      case 'fast':
        hub.setSlow(device.name, verb === 'slow' ? Number(value) : 0)
        return true
      case 'pause':
      case 'resume':
        device.transfers?.[verb]()
        return device.transfers !== undefined
      case 'limit': {
        const bytesPerSecond = value === '' ? undefined : Number(value)
        device.transfers?.limit({
          uploadBytesPerSecond: bytesPerSecond,
          downloadBytesPerSecond: bytesPerSecond,
        })
        return device.transfers !== undefined
      }
      default:
        return device instanceof FolderDevice && this.#happenToFolder(verb, device, value)
    }
  }

  async #happenToFolder(verb: string, device: FolderDevice, value: string): Promise<boolean> {
    const { troubles } = device
    switch (verb) {
      case 'deny':
        return this.#deny(device, value)
      case 'allow':
        device.allow()
        return true
      case 'fill':
        if (value === 'db') device.database.volume.isFull = true
        else troubles.isFull = true
        return true
      case 'room':
        device.database.volume.isFull = false
        troubles.isFull = false
        return true
      case 'deafen':
      case 'hear':
        device.isDeaf = verb === 'deafen'
        this.hasLostEvents ||= device.isDeaf
        return true
      case 'clone':
        return this.#clone(device, value)
      case 'revert':
        return this.#revert(device)
      default:
        return false
    }
  }

  /** What was not durable may be gone, rules as well. */
  async #stop(device: Device, stop: () => Promise<void>): Promise<void> {
    const user = this.sites.get(device.name)?.user
    const files = user instanceof FileUser ? user.privateFiles : undefined
    const hidden = files?.hidden()
    await stop()
    if (hidden) files!.uncovered(hidden)
  }

  #deny(device: FolderDevice, path: string): boolean {
    const site = this.sites.get(device.name)
    if (!(site?.user instanceof FileUser)) return false
    const real = fromScriptPath(path, site.user.namesIn)
    if (real === undefined || device.disk.lstat(`${ROOT}/${real}`)?.kind !== 'dir') return false
    device.troubles.denied.add(`${ROOT}/${real}`)
    return true
  }

  async #clone(device: FolderDevice, name: string): Promise<boolean> {
    if (this.sites.has(name)) return false
    const clone = FolderDevice.cloneOf(device, name, this.#partsOf())
    this.hasOldDatabases = true
    this.#add(name, clone)
    await clone.start()
    return true
  }

  /** Not where a directory that goes to the trash may hold what is not for others. */
  async #revert(device: FolderDevice): Promise<boolean> {
    const user = this.sites.get(device.name)?.user
    if (!device.holdsUnsent || !(user instanceof FileUser) || !user.privateFiles.isEmpty) return false
    await this.#reverts.begin(device)
    return true
  }

  #make({ name, kind }: DeviceKind): Device {
    if (kind === 'api') return new ApiDevice(name, this.#partsOf())
    return new FolderDevice(name, this.#partsOf(), kind === 'coarse')
  }

  #add(name: string, device: Device): void {
    if (device instanceof FolderDevice)
      this.sites.set(name, { device, user: new FileUser(device, this.ledger) })
    else if (device instanceof ApiDevice) {
      const { trace, onStrange } = this.parts
      const user = new ApiUser(device, this.ledger, (line) => trace.note(line), onStrange)
      this.sites.set(name, { device, user })
    }
  }

  #partsOf(): DeviceParts {
    const { script, planted, adapters, trace } = this.parts
    const note = (line: string): void => trace.note(line)
    const onRefused = (key: string): void => void this.ledger.givenUpKeys.add(key)
    return { hub: this.hub, time: this.time, seed: script.seed, planted, adapters, note, onRefused }
  }
}
