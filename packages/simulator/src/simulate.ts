import { Device } from './device.js'
import { SimHub } from './hub.js'
import { SimRandom } from './random.js'
import { brief, Ledger, User } from './user.js'
import { VirtualTime } from './virtual-time.js'

export interface SimulationOptions {
  readonly seed: number
  readonly steps: number
  /** Disks say that they made things durable, and did not: a mistake that must be noticed. */
  readonly isLying?: boolean
}

/** Time within which all is equal and idle once nobody disturbs it, milliseconds. */
const HEAL_MS_MAX = 15 * 60_000
const HEAL_STEP_MS = 5_000

export class SimulationError extends Error {
  override readonly name = 'SimulationError'

  constructor(message: string, seed: number, log: readonly string[]) {
    super(`seed ${seed}: ${message}\n${log.join('\n')}`)
  }
}

/**
 * Devices under random hands and troubles, until all is well again.
 *
 * @returns what happened: the same lines for one seed, on one state of the code.
 * @throws {SimulationError} it does not become well, or something is lost.
 */
export async function simulate({
  seed,
  steps,
  isLying = false,
}: SimulationOptions): Promise<readonly string[]> {
  const random = new SimRandom(seed)
  const time = new VirtualTime()
  const hub = new SimHub(time, random)
  await hub.start()
  const ledger = new Ledger()
  const log: string[] = []
  const names = ['ann', 'bob', 'cyd'].slice(0, 2 + random.below(2))
  const devices = names.map((name) => new Device(name, { hub, time, random, isLying }))
  const users = devices.map((device) => new User(device, random, ledger))
  for (const device of devices) await device.start()
  const note = (line: string): void => void log.push(`${time.monotonicMs()} ${line}`)
  const fail = (message: string): never => {
    const decisions = devices.flatMap((device) => device.decisions)
    const status = devices.map((device) => `${device.name}: ${JSON.stringify(device.binding?.status)}`)
    throw new SimulationError(message, seed, [...log, ...status, ...decisions])
  }
  for (let step = 0; step < steps; step++) {
    const which = random.below(devices.length)
    const [device, user] = [devices[which]!, users[which]!]
    const dice = random.below(100)
    if (dice < 75) note(`${device.name} ${user.act()}`)
    else if (dice < 82) {
      note(`cut ${device.name}`)
      hub.cut(device.name)
    } else if (dice < 87) {
      note(`kill ${device.name}`)
      await device.kill()
      if (random.chance(2)) note(`${device.name}, alone: ${user.act()}`)
      await device.start()
    } else if (dice < 91) {
      note(`the power of ${device.name} goes`)
      await device.powerCut()
      if (random.chance(2)) note(`${device.name}, alone: ${user.act()}`)
      await device.start()
    } else if (dice < 94) {
      note('the hub dies')
      await hub.crash()
    } else if (dice < 96) {
      device.backUp()
      if (random.chance(2)) hub.backUp()
    } else if (dice < 97) {
      if (await device.rollBack()) {
        note(`${device.name} goes back to a backup`)
        await device.start()
      }
    } else if (dice < 98) {
      if (await hub.rollBack()) note('the hub goes back to a backup')
    } else if (dice < 99) {
      const years = random.below(21) - 10
      note(`the clock jumps ${years} years`)
      time.jump(years * 365 * 24 * 3_600_000)
    }
    if (random.chance(3)) await time.pass(random.below(random.chance(5) ? 20_000 : 400))
  }
  note('healing')
  const trees = (): string[] => devices.map((device) => JSON.stringify(device.tree()))
  const isWell = (): boolean =>
    trees().every((tree) => tree === trees()[0]) &&
    devices.every(({ binding }) => binding?.status.state === 'idle')
  for (let waited = 0; !isWell(); waited += HEAL_STEP_MS) {
    if (waited > HEAL_MS_MAX) fail(`not equal and idle:\n${devices.map(outline).join('\n')}`)
    await time.pass(HEAL_STEP_MS)
  }
  const kept = new Set(devices.flatMap((device) => [...device.texts()]))
  const lost = [...ledger.written].filter((text) => !kept.has(text) && !ledger.givenUp.has(text))
  if (lost.length > 0) fail(`lost: ${lost.map(brief).join(', ')}`)
  const shown = Object.values(devices[0]!.tree()).filter((text) => text !== '/' && !text.startsWith('→'))
  const strange = shown.filter((text) => !ledger.written.has(text))
  if (strange.length > 0) fail(`nobody wrote: ${strange.map(brief).join(', ')}`)
  for (const device of devices) await device.kill()
  return [...log, ...devices.flatMap(({ decisions }) => decisions), ...trees()]
}

const outline = (device: Device): string =>
  `${device.name}: ${Object.entries(device.tree())
    .map(([path, text]) => `${path} ${brief(text)}`)
    .join(', ')}`
