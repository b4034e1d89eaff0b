import type { Act, Script } from './script.js'
import { type RunOptions, replay } from './simulate.js'
import { type Rule, SimulationError } from './simulation-error.js'

export interface ShrinkOptions extends RunOptions {
  /** Replays at most. @default 600 */
  readonly replaysMax?: number
  /** Told of each script that still fails. */
  readonly onProgress?: (script: Script, replays: number) => void
}

export interface Shrunk {
  readonly script: Script
  readonly rule: Rule
  /** What the short script ends with. */
  readonly error: SimulationError
  readonly replays: number
}

const REPLAYS_MAX = 600
/** Most of what ever becomes well does so within this time, milliseconds. */
const HASTY_MS = 90_000
/** Waits shorter than this are not worth a replay, milliseconds. */
const WAIT_MS_MIN = 10

/**
 * Looks for a short script that breaks the same rule: leaves out blocks of acts (delta debugging; Zeller and
 * Hildebrandt, 2002), then single acts, devices, and parts of waits, as long as it still fails.
 *
 * @throws {TypeError} the script breaks no rule.
 */
export async function shrink(script: Script, options: ShrinkOptions = {}): Promise<Shrunk> {
  const hasty = await shrinkWith(script, { patienceMs: HASTY_MS, ...options }).catch(() => undefined)
  // What is only slow must not be taken for what never ends.
  if (hasty && (await failureOf(hasty.script, options))?.rule === hasty.rule) return hasty
  return shrinkWith(script, options)
}

async function shrinkWith(script: Script, options: ShrinkOptions): Promise<Shrunk> {
  const shrinker = new Shrinker(script, options)
  await shrinker.begin()
  let before: number
  do {
    before = shrinker.size
    await shrinker.dropBlocks()
    await shrinker.dropDevices()
    await shrinker.shortenWaits()
  } while (shrinker.size < before && !shrinker.isSpent)
  return shrinker.result()
}

class Shrinker {
  #script: Script
  #error: SimulationError | undefined
  #replays = 0

  constructor(
    script: Script,
    private readonly options: ShrinkOptions,
  ) {
    this.#script = script
  }

  get size(): number {
    const { acts, devices } = this.#script
    const waitedMs = acts.reduce((sum, act) => sum + waitMsOf(act), 0)
    return acts.length * 1_000_000 + devices.length * 1_000 + Math.log2(waitedMs + 1)
  }

  get isSpent(): boolean {
    return this.#replays >= (this.options.replaysMax ?? REPLAYS_MAX)
  }

  async begin(): Promise<void> {
    this.#error = await this.#fails(this.#script)
    if (!this.#error) throw new TypeError('the script breaks no rule')
    // What comes behind the end of a run that failed on the way was never done.
    this.#script = this.#error.script
  }

  result(): Shrunk {
    const error = this.#error!
    return { script: this.#script, rule: error.rule, error, replays: this.#replays }
  }

  async dropBlocks(): Promise<void> {
    for (let length = Math.ceil(this.#script.acts.length / 2); length >= 1; length = Math.floor(length / 2)) {
      // From the end: what was done early is often what the rest stands on.
      for (let at = this.#script.acts.length - length; at > -length; at -= length) {
        const { acts } = this.#script
        const from = Math.max(0, at)
        await this.#try({ acts: [...acts.slice(0, from), ...acts.slice(at + length)] })
      }
    }
  }

  async dropDevices(): Promise<void> {
    for (const { name } of this.#script.devices) {
      const devices = this.#script.devices.filter((device) => device.name !== name)
      const acts = this.#script.acts.filter(({ args }) => args[0] !== name)
      if (devices.length > 0) await this.#try({ devices, acts })
    }
    for (const [i, { kind, name }] of this.#script.devices.entries()) {
      if (kind !== 'coarse') continue
      await this.#try({ devices: this.#script.devices.with(i, { name, kind: 'folder' }) })
    }
  }

  async shortenWaits(): Promise<void> {
    for (let i = 0; i < this.#script.acts.length; i++) {
      for (let ms = waitMsOf(this.#script.acts[i]!); ms > WAIT_MS_MIN; ms = Math.floor(ms / 2)) {
        const shorter: Act = { verb: 'wait', args: [String(Math.floor(ms / 2))] }
        if (!(await this.#try({ acts: this.#script.acts.with(i, shorter) }))) break
      }
    }
  }

  /** @returns whether the changed script breaks the same rule, and is the script from now on. */
  async #try(change: Partial<Script>): Promise<boolean> {
    if (this.isSpent) return false
    const script = { ...this.#script, ...change }
    const error = await this.#fails(script)
    if (error?.rule !== this.#error?.rule) return false
    this.#script = script
    this.#error = error
    this.options.onProgress?.(script, this.#replays)
    return true
  }

  async #fails(script: Script): Promise<SimulationError | undefined> {
    this.#replays++
    return failureOf(script, this.options)
  }
}

async function failureOf(script: Script, options: RunOptions): Promise<SimulationError | undefined> {
  try {
    await replay(script, options)
    return undefined
  } catch (error) {
    if (error instanceof SimulationError) return error
    throw error
  }
}

const waitMsOf = ({ verb, args }: Act): number => (verb === 'wait' ? Number(args[0]) : 0)
