import { ApiDevice } from './api-device.js'
import { Eyes, NAMES } from './eyes.js'
import { TOP } from './file-user.js'
import { SimRandom } from './random.js'
import type { Act } from './script.js'
import type { World } from './world.js'

/** Something odd is done, or said, in one of so many steps. */
const ONE_IN = 10
const ODD = { accuse: 5, contradictor: 1, forger: 1, age: 4, bad: 4, large: 1 }
/** In one of so many runs people keep things in the folder that they share with nobody, in one of so many steps. */
const PRIVATE_RUNS_ONE_IN = 2
const PRIVATE_ONE_IN = 8
const PRIVATE = { ignore: 1, mine: 3 }
/** In one of so many runs the hub refuses some of what it is told, more or less at one of so many steps. */
const MOODY_RUNS_ONE_IN = 3
const MOODY_ONE_IN = 25
/** Of a hundred writes. */
const MOODS = [0, 0, 10, 40, 100]
/** In one of so many runs somebody dies at a call to a blob store, in one of so many steps. */
const STORE_DEATH_RUNS_ONE_IN = 2
const STORE_DEATH_ONE_IN = 25
/** Within so many calls. */
const STORE_CALLS_MAX = 6
/** A program without a folder writes something large, in one of so many steps. */
const LARGE_WRITE_ONE_IN = 60
/** Where something is held that may not be sent, its user throws it away, in one of so many steps. */
const REVERT_ONE_IN = 6
const DICE = 1_000_000
/** More than messages carry: goes in packs, by grant. */
const LARGE_BYTES = 1_300_000
/** As far from 1970 as numbers of that many bits: each has another form on the wire. */
const AGE_BITS_MAX = 43

/** What is rare in the life of people, and what few peers say. Apart from all other acts: none of those depends on it. */
export class OddActs {
  readonly #random: SimRandom

  /** Apart from these, too: what people share with nobody. */
  readonly #private: SimRandom
  readonly #hasPrivate: boolean
  /** Apart from these, too: what the hub refuses. */
  readonly #moods: SimRandom
  readonly #isMoody: boolean
  /** Apart from these, too: who dies at a call to a blob store. */
  readonly #mortal: SimRandom
  readonly #hasStoreDeaths: boolean
  /** Apart from these, too: what programs without a folder write. */
  readonly #programs: SimRandom
  /** Apart from these, too: who throws away what may not be sent. */
  readonly #reverts: SimRandom

  constructor(seed: number) {
    this.#random = SimRandom.of(seed, 'odd')
    this.#private = SimRandom.of(seed, 'private')
    this.#hasPrivate = this.#private.chance(PRIVATE_RUNS_ONE_IN)
    this.#moods = SimRandom.of(seed, 'hub moods')
    this.#isMoody = this.#moods.chance(MOODY_RUNS_ONE_IN)
    this.#mortal = SimRandom.of(seed, 'mortal at stores')
    this.#hasStoreDeaths = this.#mortal.chance(STORE_DEATH_RUNS_ONE_IN)
    this.#programs = SimRandom.of(seed, 'programs')
    this.#reverts = SimRandom.of(seed, 'reverts')
  }

  /** Between two steps of everybody else. */
  *in(world: World): Generator<Act> {
    const holder = this.#reverts.pick(world.folders.filter(({ holdsUnsent }) => holdsUnsent))
    if (holder && this.#reverts.chance(REVERT_ONE_IN)) yield { verb: 'revert', args: [holder.name] }
    if (this.#hasPrivate && this.#private.chance(PRIVATE_ONE_IN)) yield this.#keepPrivate(world)
    if (this.#isMoody && this.#moods.chance(MOODY_ONE_IN))
      yield { verb: 'refuse', args: [String(this.#moods.pick(MOODS)!)] }
    if (this.#hasStoreDeaths && this.#mortal.chance(STORE_DEATH_ONE_IN)) yield this.#storeDeath(world)
    if (this.#programs.chance(LARGE_WRITE_ONE_IN)) {
      const act = this.#largeWrite(world)
      if (act) yield act
    }
    if (!this.#random.chance(ONE_IN)) return
    const act = this.#act(world)
    if (act) yield act
  }

  #keepPrivate(world: World): Act {
    const random = this.#private
    const device = random.pick(world.folders)!
    const verb = random.weighted(PRIVATE)
    const directory = new Eyes(device, random, NAMES).directory()
    const isAtTop = directory === undefined || random.below(4) < (verb === 'ignore' ? 3 : 1)
    return { verb, args: [device.name, isAtTop ? TOP : directory] }
  }

  #storeDeath(world: World): Act {
    const random = this.#mortal
    const name = random.pick(['hub', ...world.devices.map((device) => device.name)])!
    const count = String(random.below(STORE_CALLS_MAX))
    return { verb: 'trap', args: [name, 'store', count, random.pick(['before', 'after'])!] }
  }

  #act(world: World): Act | undefined {
    const random = this.#random
    const verb = random.weighted(ODD)
    const dice = String(random.below(DICE))
    switch (verb) {
      case 'accuse':
        return { verb, args: [random.pick(world.devices)!.name, dice] }
      case 'contradictor':
      case 'forger':
        return { verb, args: [dice] }
      case 'bad':
        return this.#bad(world)
      case 'age':
      case 'large':
        return this.#write(verb, world)
    }
  }

  #largeWrite(world: World): Act | undefined {
    const random = this.#programs
    const program = random.pick(programsIn(world))
    if (!program) return undefined
    const eyes = new Eyes(random.pick(world.folders)!, random, NAMES)
    const file = random.chance(2) ? eyes.file() : undefined
    const verb = file === undefined ? 'create' : 'edit'
    return { verb, args: [program.name, file ?? eyes.fresh(), String(LARGE_BYTES)] }
  }

  #bad(world: World): Act | undefined {
    const random = this.#random
    const program = random.pick(programsIn(world))
    const verb = random.pick(['create', 'mkdir', 'rename'])!
    const path = random.pick(BAD_PATHS)!
    if (!program) return undefined
    return {
      verb,
      args: verb === 'rename' ? [program.name, random.pick(NAMES)!, path] : [program.name, path],
    }
  }

  #write(verb: 'age' | 'large', world: World): Act | undefined {
    const random = this.#random
    const device = random.pick(world.folders)!
    const file = new Eyes(device, random, NAMES).file()
    if (file === undefined) return undefined
    if (verb === 'large') return { verb: 'edit', args: [device.name, file, String(LARGE_BYTES)] }
    const mtimeMs = -random.below(2 ** random.below(AGE_BITS_MAX))
    return { verb, args: [device.name, file, String(mtimeMs)] }
  }
}

const programsIn = (world: World): ApiDevice[] =>
  world.devices.filter((device) => device instanceof ApiDevice)

/** What no space takes, and no program may get around. */
export const BAD_PATHS: readonly string[] = [
  '..',
  'a/../b',
  './a',
  'a//b',
  '/a',
  '.tidemark/a',
  'a\0',
  'a\ud800',
  'n'.repeat(256),
  'a/'.repeat(300).slice(0, -1),
]
