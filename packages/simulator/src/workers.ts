import { parentPort, type ResourceLimits, Worker } from 'node:worker_threads'
import { simulate } from './simulate.js'
import { SimulationError } from './simulation-error.js'

/** Nearly everything dies within its run: a larger nursery is emptied less often. */
const RESOURCES: ResourceLimits = { maxYoungGenerationSizeMb: 96 }

/** One run, and what came of it. */
export interface Outcome {
  readonly seed: number
  /** Acts that were done. */
  readonly steps: number
  readonly virtualMs: number
  readonly messages: number
  readonly traceHash: string | undefined
  readonly failure: { readonly rule: string; readonly detail: string } | undefined
}

export interface Job {
  readonly seed: number
  readonly steps: number
  readonly sweeps: boolean
}

/**
 * @param print Gets each line of the trace.
 * @throws what is no failure of the run, but a mistake here.
 */
export async function outcomeOf(
  { seed, steps, sweeps }: Job,
  print?: (line: string) => void,
): Promise<Outcome> {
  try {
    const done = await simulate({ seed, steps, sweeps, print })
    const { virtualMs, messages, traceHash } = done
    return { seed, steps: done.steps, virtualMs, messages, traceHash, failure: undefined }
  } catch (error) {
    if (!(error instanceof SimulationError)) throw error
    const { rule, detail, script } = error
    return {
      seed,
      steps: script.acts.length,
      virtualMs: 0,
      messages: 0,
      traceHash: undefined,
      failure: { rule, detail },
    }
  }
}

/**
 * Runs in threads; each takes the next seed when it is done with one, so that what a seed does depends on
 * nothing else, and none waits for another.
 *
 * @param script The module that calls `work` when it is loaded in a thread.
 * @param next The next run; `undefined`: there is none.
 */
export async function inWorkers(
  script: URL,
  workers: number,
  next: () => Job | undefined,
  onOutcome: (outcome: Outcome) => void,
): Promise<void> {
  await Promise.all(Array.from({ length: workers }, () => oneWorker(script, next, onOutcome)))
}

function oneWorker(
  script: URL,
  next: () => Job | undefined,
  onOutcome: (outcome: Outcome) => void,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(script, { resourceLimits: RESOURCES })
    const give = (): void => worker.postMessage(next())
    worker.on('message', (outcome: Outcome) => {
      onOutcome(outcome)
      give()
    })
    worker.on('error', reject)
    worker.on('exit', () => resolve())
    give()
  })
}

/** In a thread: runs what it is given, until it is given nothing. */
export function work(): void {
  const port = parentPort!
  // Of what fails only rule and detail are told, and disks refuse often: whoever replays it has the stacks.
  Error.stackTraceLimit = 0
  port.on('message', (job: Job | undefined) => {
    if (job) void outcomeOf(job).then((outcome) => port.postMessage(outcome))
    else port.close()
  })
}
