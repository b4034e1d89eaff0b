import { Eyes, LONG_NAMES, NAMES } from './eyes.js'
import { FolderDevice } from './folder-device.js'
import { DEATHS } from './life.js'
import { BAD_PATHS, OddActs } from './odd-acts.js'
import { SimRandom } from './random.js'
import type { Act, DeviceKind } from './script.js'
import type { Site, World } from './world.js'

const PEOPLE = ['ann', 'bob', 'cyd']

/** How often people do what, at a device with a folder. */
const FILE_VERBS = {
  create: 12,
  edit: 9,
  save: 5,
  savebeside: 4,
  append: 3,
  truncate: 2,
  touch: 1,
  chmod: 3,
  link: 2,
  symlink: 3,
  mkdir: 5,
  tree: 1,
  rename: 9,
  movedir: 5,
  replace: 4,
  swap: 4,
  case: 4,
  wrap: 3,
  remove: 5,
  rmdir: 4,
  // What people do about a conflict copy: away with it, over the original, edited, elsewhere.
  dropcopy: 2,
  choosecopy: 2,
  editcopy: 2,
  movecopy: 2,
}

/** What people do while their program is at work. */
const AMID_VERBS = { edit: 6, save: 3, append: 1, remove: 2, rename: 2, case: 1, chmod: 1, wrap: 1 }
/** … more rarely: things where it may be about to put some, old stamps and other targets for what it has just put. */
const AMID_RARE_VERBS = { create: 3, symlink: 1, age: 2, relink: 1 }
/** Somebody does that in one of so many steps. */
const AMID_RARE_ONE_IN = 25
/** Before 1970, milliseconds. */
const AMID_AGE_MAX = 10_000

const API_VERBS = { create: 6, edit: 6, mkdir: 2, rename: 4, remove: 2, read: 4 }

/** What happens, in one of so many steps each; the rest is what people do. */
const TROUBLES = {
  act: 700,
  cut: 60,
  kill: 45,
  power: 40,
  trap: 45,
  amid: 60,
  crash: 28,
  backup: 22,
  rollback: 10,
  hubbackup: 8,
  hubrollback: 8,
  clock: 9,
  away: 8,
  slow: 8,
  deny: 8,
  fill: 7,
  deafen: 5,
  store: 9,
  clone: 2,
}

/** A program dies within so many calls that change its disk. */
const TRAP_CALLS_MAX = 12
/** Somebody dies at a write to a database, or as no `trap` above has it, in one of so many steps. */
const DEATH_ONE_IN = 30
/** … or there is no room for a database: in so many of these. */
const FULL_ONE_IN = 5
/** Within so many writes. */
const DEATH_WRITES_MAX = 8
/** People meddle within so many calls about what they see: most windows are near, some far. */
const AMID_CALLS_BITS_MAX = 7
const DICE = 1_000_000
/** Somebody on a line breaks the protocol, in one of so many steps. */
const HOSTILE_ONE_IN = 20
/** Nobody has anything on for months, and one comes back later than the others. */
const HOLIDAYS_ONE_IN = 600
const HOLIDAYS_DAYS_MAX = 200
const MS_PER_DAY = 24 * 3_600_000
/** One is off for longer than the hub waits, others delete meanwhile, and people at all disks go on. */
const ABSENCE_ONE_IN = 150
const ABSENCE_MINUTES_MAX = 180
const ABSENT_ACTS_MAX = 8
const ABSENT_VERBS = { create: 3, edit: 4, rename: 2, movedir: 1, remove: 4, rmdir: 2 }
const MS_PER_MINUTE = 60_000
/** Calls of a program fail, and it lives, in one of so many steps. */
const FAULT_ONE_IN = 20
/** Within so many calls that change the disk or make it durable; where all count, the bits of their number. */
const FAULT_CALLS_MAX = 30
const FAULT_CALLS_BITS_MAX = 8
const FAULTS_MAX = 5
const HOSTILE = { garble: 2, falsify: 1, extend: 1, stranger: 3, demote: 1, banish: 1 }
/** Somebody pauses transfers or limits them, or ends that, in one of so many steps. */
const PACE_ONE_IN = 25
const PACES = { pause: 3, resume: 4, limit: 2, unlimit: 1 }
/** Bytes per second: what comes after a large content waits for up to a minute. */
const LIMIT_MIN = 1_000
const LIMIT_MAX = 20_000
const END_ONE_IN = 12
/** What one question finds lacking goes in a pack if it is more than this. */
const PACKED_BYTES = 1_200_000
const DAYS_MAX = 3_650

/** Decides what people do and what happens, looking at what they see. One seed, one list of acts. */
export class RandomActs {
  readonly devices: readonly DeviceKind[]
  readonly #random: SimRandom
  /** Apart: who dies at a write changes nothing in what people decide to do. */
  readonly #mortal: SimRandom
  /** Whose databases have no room. */
  readonly #full: string[] = []
  /** Apart: those who break the protocol change nothing in what people decide to do. */
  readonly #hostile: SimRandom
  /** Apart, as these: who is away for long. */
  readonly #absent: SimRandom
  /** Apart, as these: who holds transfers back. */
  readonly #patient: SimRandom
  /** Apart, as these: whose disk fails now and then. */
  readonly #faulty: SimRandom
  /** Apart, as these: who meddles in rarer ways while a program is at work. */
  readonly #meddling: SimRandom
  readonly #odd: OddActs
  readonly #names: readonly string[]
  /** Acts that end what lasts. */
  readonly #endings: Act[] = []
  #clones = 0

  constructor(seed: number) {
    this.#random = SimRandom.of(seed, 'people')
    this.#mortal = SimRandom.of(seed, 'mortal')
    this.#hostile = SimRandom.of(seed, 'hostile')
    this.#absent = SimRandom.of(seed, 'absent')
    this.#patient = SimRandom.of(seed, 'patient')
    this.#faulty = SimRandom.of(seed, 'faulty')
    this.#meddling = SimRandom.of(seed, 'meddling')
    this.#odd = new OddActs(seed)
    this.#names = this.#hostile.chance(4) ? LONG_NAMES : NAMES
    const people = PEOPLE.slice(0, 2 + this.#random.below(2))
    this.devices = [
      ...people.map((name): DeviceKind => ({ name, kind: this.#random.chance(5) ? 'coarse' : 'folder' })),
      ...(this.#random.chance(4) ? [{ name: 'app', kind: 'api' } as const] : []),
    ]
  }

  /** @param steps How many, waits apart. */
  *in(world: World, steps: number): Generator<Act> {
    let done = 0
    for (const act of this.#all(world)) {
      yield act
      if (act.verb !== 'wait') done += 1
      if (done >= steps) return
    }
  }

  *#all(world: World): Generator<Act> {
    for (;;) {
      const act = this.#next(world)
      if (act) yield act
      if (this.#mortal.chance(DEATH_ONE_IN)) yield this.#death(world)
      if (this.#faulty.chance(FAULT_ONE_IN)) yield this.#fault(world)
      if (this.#hostile.chance(HOSTILE_ONE_IN)) yield this.#lie(world)
      if (this.#hostile.chance(HOLIDAYS_ONE_IN)) yield* this.#holidays(world)
      if (this.#absent.chance(ABSENCE_ONE_IN)) yield* this.#absence(world)
      if (this.#patient.chance(PACE_ONE_IN)) yield this.#pace(world)
      if (this.#meddling.chance(AMID_RARE_ONE_IN)) yield this.#amidRare(world)
      yield* this.#odd.in(world)
      if (this.#random.chance(3)) {
        const ms = this.#random.below(this.#random.chance(5) ? 20_000 : 400)
        yield { verb: 'wait', args: [String(ms)] }
      }
    }
  }

  #next(world: World): Act | undefined {
    const random = this.#random
    const site = random.pick([...world.sites.values()])!
    const { name } = site.device
    if (!site.device.isRunning && random.chance(2)) return { verb: 'start', args: [name] }
    if (this.#endings.length > 0 && random.chance(END_ONE_IN))
      return this.#endings.splice(random.below(this.#endings.length), 1)[0]
    const trouble = random.weighted(TROUBLES)
    const dice = String(random.below(DICE))
    switch (trouble) {
      case 'act':
        return this.#act(site, world)
      case 'cut':
      case 'kill':
      case 'backup':
      case 'rollback':
        return { verb: trouble, args: [name] }
      case 'power':
        return { verb: 'power', args: [name, dice] }
      case 'crash':
        return { verb: 'crash', args: ['hub', dice] }
      case 'hubbackup':
        return { verb: 'backup', args: ['hub'] }
      case 'hubrollback':
        return { verb: 'rollback', args: ['hub', dice] }
      case 'clock':
        return { verb: 'clock', args: [String(random.below(2 * DAYS_MAX + 1) - DAYS_MAX)] }
      case 'away':
        return this.#lasting('away', [name], 'return', [name])
      case 'slow':
        return this.#lasting('slow', [name, String(100 + random.below(3_000))], 'fast', [name])
      case 'fill':
        return this.#lasting('fill', [name], 'room', [name])
      case 'deafen':
        return this.#lasting('deafen', [name], 'hear', [name])
      case 'store':
        return this.#lasting('store', [random.pick(['refuses', 'lies', 'expires'])!], 'store', ['heals'])
      case 'trap':
        return { verb: 'trap', args: [name, String(random.below(TRAP_CALLS_MAX))] }
      case 'amid':
        return this.#amid(site)
      case 'deny':
        return this.#deny(site)
      case 'clone':
        return this.#clones++ > 0 ? undefined : { verb: 'clone', args: [name, 'eve'] }
    }
  }

  #pace(world: World): Act {
    const random = this.#patient
    const { name } = random.pick(world.devices)!
    const verb = random.weighted(PACES)
    if (verb === 'unlimit') return { verb: 'limit', args: [name] }
    if (verb !== 'limit') return { verb, args: [name] }
    return { verb, args: [name, String(LIMIT_MIN + random.below(LIMIT_MAX - LIMIT_MIN))] }
  }

  #fault(world: World): Act {
    const random = this.#faulty
    const { name } = random.pick(world.folders)!
    const failures = String(random.chance(3) ? 1 + random.below(FAULTS_MAX) : 1)
    if (random.chance(2)) {
      const calls = random.below(2 ** random.below(FAULT_CALLS_BITS_MAX + 1))
      return { verb: 'fail', args: [name, String(calls), failures, 'looks'] }
    }
    return { verb: 'fail', args: [name, String(random.below(FAULT_CALLS_MAX)), failures] }
  }

  #death(world: World): Act {
    const random = this.#mortal
    if (this.#full.length > 0 && random.chance(2)) return { verb: 'room', args: [this.#full.pop()!] }
    if (random.chance(FULL_ONE_IN)) {
      const name = random.pick(['hub', ...world.devices.map((device) => device.name)])!
      this.#full.push(name)
      return { verb: 'fill', args: name === 'hub' ? [name] : [name, 'db'] }
    }
    const places = world.devices.flatMap(({ name }) => [[name], [name, 'db']])
    const count = String(random.below(DEATH_WRITES_MAX))
    return { verb: 'trap', args: [...random.pick([...places, ['hub']])!, count, random.pick(DEATHS)!] }
  }

  *#holidays(world: World): Generator<Act> {
    const random = this.#hostile
    const names = world.devices.map(({ name }) => name)
    for (const name of names) yield { verb: 'kill', args: [name] }
    const days = 30 + random.below(HOLIDAYS_DAYS_MAX)
    yield { verb: 'wait', args: [String(days * MS_PER_DAY)] }
    const late = random.pick(names)
    for (const name of names) if (name !== late) yield { verb: 'start', args: [name] }
  }

  *#absence(world: World): Generator<Act> {
    const random = this.#absent
    const { name } = random.pick(world.devices)!
    yield { verb: 'kill', args: [name] }
    yield* this.#meanwhile(world)
    yield this.#minutes(ABSENCE_MINUTES_MAX)
    yield* this.#meanwhile(world)
    yield this.#minutes(random.chance(2) ? ABSENCE_MINUTES_MAX : 1)
    yield { verb: 'start', args: [name] }
  }

  *#meanwhile(world: World): Generator<Act> {
    const random = this.#absent
    for (let left = random.below(ABSENT_ACTS_MAX); left > 0; left--) {
      const device = random.pick(world.folders)!
      const eyes = new Eyes(device, random, this.#names)
      const verb = random.weighted(ABSENT_VERBS)
      const isOfDirectory = verb === 'movedir' || verb === 'rmdir'
      const path = verb === 'create' ? eyes.fresh() : isOfDirectory ? eyes.directory() : eyes.file()
      if (path === undefined) continue
      const isMove = verb === 'movedir' || verb === 'rename'
      yield {
        verb: verb === 'movedir' ? 'rename' : verb,
        args: [device.name, path, ...(isMove ? [eyes.fresh()] : [])],
      }
    }
  }

  #minutes(max: number): Act {
    return { verb: 'wait', args: [String(this.#absent.below(max * MS_PER_MINUTE))] }
  }

  #lie(world: World): Act {
    const random = this.#hostile
    const { name } = random.pick(world.devices)!
    const verb = random.weighted(HOSTILE)
    if (verb === 'demote' || verb === 'banish') return this.#lasting(verb, [name], 'readmit', [name])
    const dice = String(random.below(DICE))
    return { verb, args: verb === 'stranger' ? [dice] : [name, dice] }
  }

  #lasting(verb: string, args: string[], ending: string, endingArgs: string[]): Act {
    this.#endings.push({ verb: ending, args: endingArgs })
    return { verb, args }
  }

  /** Mostly to what the program is about. */
  #amid({ device }: Site): Act | undefined {
    if (!(device instanceof FolderDevice)) return undefined
    const random = this.#random
    const eyes = new Eyes(device, random, this.#names)
    const calls = someCalls(random)
    const path = (random.chance(4) ? eyes.file() : undefined) ?? '.'
    const verb = random.weighted(AMID_VERBS)
    return {
      verb: 'amid',
      args: [device.name, calls, verb, path, ...(verb === 'rename' ? [eyes.fresh()] : [])],
    }
  }

  #amidRare(world: World): Act {
    const random = this.#meddling
    const device = random.pick(world.folders)!
    const verb = random.weighted(AMID_RARE_VERBS)
    const args = [device.name, someCalls(random), verb]
    if (verb === 'age') args.push('.', String(-random.below(AMID_AGE_MAX)))
    else if (verb === 'relink') args.push('.', random.pick(NAMES)!)
    else args.push(new Eyes(device, random, this.#names).fresh())
    return { verb: 'amid', args }
  }

  #deny(site: Site): Act | undefined {
    const { device } = site
    if (!(device instanceof FolderDevice)) return undefined
    const directory = new Eyes(device, this.#random, this.#names).directory()
    if (directory === undefined) return undefined
    return this.#lasting('deny', [device.name, directory], 'allow', [device.name])
  }

  #act(site: Site, world: World): Act {
    const { device } = site
    const random = this.#random
    if (device instanceof FolderDevice) {
      const eyes = new Eyes(device, random, this.#names)
      const act = this.#fileAct(device.name, random.weighted(FILE_VERBS), eyes)
      return act ?? { verb: 'create', args: [device.name, eyes.fresh()] }
    }
    // Programs go for names that some person sees.
    const eyes = new Eyes(random.pick(world.folders)!, random, this.#names)
    const verb = random.weighted(API_VERBS)
    const isNew = verb === 'create' || verb === 'mkdir'
    const isMad = isNew && random.chance(20)
    const path = isMad ? random.pick(BAD_PATHS)! : ((isNew ? undefined : eyes.file()) ?? eyes.fresh())
    return { verb, args: [device.name, path, ...(verb === 'rename' ? [eyes.fresh()] : [])] }
  }

  #fileAct(name: string, verb: string, eyes: Eyes): Act | undefined {
    const act = (real: string, ...args: (string | undefined)[]): Act | undefined =>
      args.includes(undefined) ? undefined : { verb: real, args: [name, ...(args as string[])] }
    switch (verb) {
      case 'create':
        return act(verb, eyes.fresh(), ...this.#size())
      case 'edit':
      case 'save':
      case 'savebeside':
      case 'append':
        return act(verb, eyes.file(), ...this.#size())
      case 'chmod':
        return act(verb, eyes.file(), this.#random.chance(2) ? '755' : '644')
      case 'link':
      case 'rename':
        return act(verb, eyes.file(), eyes.fresh())
      case 'symlink':
        return act(verb, eyes.fresh(), this.#random.pick(NAMES)!)
      case 'mkdir':
      case 'tree':
        return act(verb, eyes.fresh())
      case 'movedir':
        return act('rename', eyes.directory(), eyes.fresh())
      case 'replace':
      case 'swap':
        return act(verb, eyes.file(), eyes.file())
      case 'case':
        return act(verb, this.#random.chance(2) ? eyes.file() : eyes.directory())
      case 'rmdir':
        return act(verb, eyes.directory())
      case 'dropcopy':
        return act('remove', eyes.copy())
      case 'choosecopy': {
        const copy = eyes.copy()
        return act('replace', copy, copy?.replace(/#\d+$/, ''))
      }
      case 'editcopy':
        return act('edit', eyes.copy())
      case 'movecopy':
        return act('rename', eyes.copy(), eyes.fresh())
      default:
        return act(verb, eyes.file())
    }
  }

  /** Short, mostly; some have a manifest, some go in packs, compressed. */
  #size(): string[] {
    const dice = this.#random.below(100)
    return dice < 90 ? [] : [dice < 94 ? '70000' : `${PACKED_BYTES}`]
  }
}

const someCalls = (random: SimRandom): string =>
  String(random.below(2 ** random.below(AMID_CALLS_BITS_MAX + 1)))
