import { type AdapterOptions, Adapters } from './adapters.js'
import { HUB } from './hub.js'
import { brief } from './ledger.js'
import { Oracle, PATIENCE_MS } from './oracle.js'
import { AdapterError } from './outside.js'
import type { PlantedBug } from './planted-bug.js'
import { RandomActs } from './random-acts.js'
import { type Act, parseScript, type Script } from './script.js'
import { type Rule, SimulationError } from './simulation-error.js'
import { Trace } from './trace.js'
import { RestlessError } from './virtual-time.js'
import { World } from './world.js'

/** Steps between two looks at what costs more. */
const STEPS_PER_LOOK = 25

export interface RunOptions extends AdapterOptions {
  /** A mistake that must be noticed: tests only. */
  readonly planted?: PlantedBug
  /** Time within which all must be well once it is healed, milliseconds. @default 15 minutes */
  readonly patienceMs?: number
  /**
   * The hub deletes bytes that nobody needs, and a day is a minute to it: devices are told "have" and commit after
   * the bytes have gone. Nobody waits for more than an hour. @default false
   */
  readonly sweeps?: boolean | undefined
  /** Gets each line of the trace as it is noted. */
  readonly print?: ((line: string) => void) | undefined
}

export interface SimulationOptions extends RunOptions {
  /** Decides everything. */
  readonly seed: number
  /** What people do and what happens to them, before all is healed. */
  readonly steps: number
}

export interface SimulationResult {
  /** Hexadecimal SHA-256 over the lines of the trace: equal for one seed, on one state of the code. */
  readonly traceHash: string
  readonly trace: readonly string[]
  /** Acts that were done. */
  readonly steps: number
  /** How much time went by for the devices, milliseconds. */
  readonly virtualMs: number
  /** Frames that were sent, heartbeats apart. */
  readonly messages: number
  /** What the hub has swept. */
  readonly swept: { readonly deletedBlobs: number; readonly rewrittenBlobs: number }
  /** What makes the same happen again. */
  readonly script: Script
}

/**
 * Devices under random hands and troubles, until all is well again.
 *
 * @throws {SimulationError} it does not become well, or a rule is broken on the way.
 */
export async function simulate({ seed, steps, ...options }: SimulationOptions): Promise<SimulationResult> {
  const acts = new RandomActs(seed)
  return run({ seed, devices: acts.devices }, (world) => acts.in(world, steps), options)
}

/**
 * Lets a script happen, then heals everything as `simulate` does.
 *
 * @param script Its text, or what it means.
 * @throws {ScriptError} {SimulationError}
 */
export async function replay(script: string | Script, options: RunOptions = {}): Promise<SimulationResult> {
  const parsed = typeof script === 'string' ? parseScript(script) : script
  return run(parsed, () => parsed.acts, options)
}

/** What costs more. */
async function look(oracle: Oracle): Promise<void> {
  await oracle.checkKept()
  await oracle.checkFrontiers()
  oracle.checkRows()
  await oracle.checkMarks()
}

async function run(
  script: Pick<Script, 'seed' | 'devices'>,
  actsIn: (world: World) => Iterable<Act>,
  { planted, patienceMs = PATIENCE_MS, sweeps = false, print, ...options }: RunOptions,
): Promise<SimulationResult> {
  const trace = new Trace(print)
  const done: Act[] = []
  const soFar = (): Script => ({ seed: script.seed, devices: script.devices, acts: done })
  const fail = (rule: Rule, detail: string, cause?: unknown): never => {
    throw new SimulationError(rule, detail, soFar(), trace.lines, { cause })
  }
  let strange: string | undefined
  const onStrange = (where: string, text: string): void => {
    strange ??= `${where}: nobody wrote ${brief(text)}`
  }
  const keepers = [HUB, ...script.devices.filter(({ kind }) => kind === 'api').map(({ name }) => name)]
  const adapters = await Adapters.open(options, keepers)
  let world: World | undefined
  try {
    world = await World.open({ script, trace, planted, adapters, sweeps, onStrange })
    const oracle = new Oracle(world, fail, patienceMs)
    for (const act of actsIn(world)) {
      done.push(act)
      if (act.verb === 'allow') oracle.checkDenied()
      await world.perform(act)
      if (act.verb === 'deny' || act.verb === 'allow') oracle.noteDenied()
      oracle.checkVisible()
      oracle.checkTrash()
      if (!world.hasChangedRules) oracle.checkTold()
      await oracle.checkHub()
      if (strange !== undefined) fail('strange', strange)
      if (world.thrownBack.size > 0 || done.length % STEPS_PER_LOOK === 0) {
        await look(oracle)
      }
    }
    oracle.checkDenied()
    oracle.checkTrash()
    await world.heal()
    if (world.robbed.length > 0) fail('lost', world.robbed.join('; '))
    await oracle.becomesWell()
    if (sweeps) await oracle.checkHubsBytes()
    oracle.checkTrash()
    await look(oracle)
    if (!world.hasOldDatabases) {
      await oracle.checkShown()
      await oracle.checkAsked()
    }
    if (!world.hasOldDatabases && !world.hasPowerCuts) await oracle.checkStale()
    if (!world.hasOldHub) await oracle.checkForgotten()
    await oracle.checkAudits()
    const [device] = world.devices
    trace.note(`in the end: ${JSON.stringify(await device!.shown())}`)
    return {
      traceHash: trace.digest(),
      trace: trace.lines,
      steps: done.length,
      virtualMs: world.time.monotonicMs(),
      messages: world.hub.messages,
      swept: { deletedBlobs: world.hub.deletedBlobs, rewrittenBlobs: world.hub.rewrittenBlobs },
      script: soFar(),
    }
  } catch (error) {
    if (error instanceof SimulationError) throw error
    const rule =
      error instanceof RestlessError ? 'restless' : error instanceof AdapterError ? 'adapter' : 'threw'
    return fail(rule, String(error), error)
  } finally {
    // What runs on would take turns from the next run.
    await world?.end()
    await adapters.close()
  }
}
