import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import { isMainThread, parentPort, type ResourceLimits, Worker, workerData } from 'node:worker_threads'
import { PLANTED_BUGS, type PlantedBug } from './planted-bugs.js'
import { ruleBrokenBy } from './planted-search.js'
import { searchSeeds, tellFindings } from './search-seeds.js'
import { PROFILES, type Profile, runSimulation } from './simulation.js'

/** Runs that a worker does between two words to the main thread. */
const RUNS_PER_REPORT = 20
const FAILURES_SHOWN_MAX = 20
/** Nearly everything dies within its run: a larger nursery is emptied less often. */
const RESOURCES: ResourceLimits = { maxYoungGenerationSizeMb: 96 }
const STEPS_DEFAULT: Readonly<Record<Profile, number>> = {
  exchange: 200,
  view: 120,
  collect: 200,
  refuse: 200,
}

interface Job {
  readonly profile: Profile
  readonly steps: number
  readonly seed: number
  /** Seeds from one run of this worker to the next. */
  readonly stride: number
  readonly runs: number
}

interface Report {
  readonly runs: number
  readonly steps: number
  readonly failures: readonly { readonly seed: number; readonly message: string }[]
}

const USAGE = `usage: npm run sim -- [options]

  --profile exchange|view|collect|refuse   default exchange
  --runs N                  how many runs; default 1000
  --seed N                  the first seed; default 1
  --steps N                 steps of a run before it heals; default ${STEPS_DEFAULT.exchange}, of view ${STEPS_DEFAULT.view}
  --workers N               threads; default one for each core
  --trace                   runs one seed and prints what happens
  --planted NAME            instead: which of the seeds notice a planted mistake; all: each of them
`

if (isMainThread) await main()
else await work(workerData as Job, (report) => parentPort!.postMessage(report))

async function main(): Promise<void> {
  const options = readOptions()
  if (options === undefined) {
    console.log(USAGE)
    return
  }
  const { profile, steps, seed, runs, workers, trace, planted } = options
  if (planted) {
    const seeds = Array.from({ length: runs }, (_, i) => seed + i)
    for (const bug of planted)
      console.log(tellFindings(bug, await searchSeeds(seeds, (each) => ruleBrokenBy(bug, each, steps))))
    return
  }
  if (trace) {
    const result = await runSimulation({ profile, steps, seed, print: (line) => console.log(line) })
    console.log(JSON.stringify(result))
    return
  }
  const stride = Math.min(runs, workers)
  const jobs = Array.from({ length: stride }, (_, i): Job => {
    return { profile, steps, stride, seed: seed + i, runs: Math.ceil((runs - i) / stride) }
  })
  const startedMs = performance.now()
  const done = { runs: 0, steps: 0, failures: 0 }
  await Promise.all(
    jobs.map((job) =>
      inWorker(job, (report) => {
        done.runs += report.runs
        done.steps += report.steps
        for (const failure of report.failures) {
          done.failures++
          if (done.failures > FAILURES_SHOWN_MAX) continue
          console.log(`seed ${failure.seed}: ${failure.message}`)
          console.log(`  npm run sim -- --profile ${profile} --steps ${steps} --seed ${failure.seed} --trace`)
        }
      }),
    ),
  )
  const seconds = (performance.now() - startedMs) / 1_000
  console.log(
    `${profile}: ${done.runs} runs from seed ${seed}, ${done.steps} steps in ${seconds.toFixed(1)} s ` +
      `(${Math.round(done.steps / seconds)} steps/s, ${stride} workers), ${done.failures} failures`,
  )
  if (done.failures > 0) process.exitCode = 1
}

/** @returns `undefined`: help was asked for. A wrong option ends the process with 2. */
function readOptions() {
  try {
    const { values } = parseArgs({
      options: {
        profile: { type: 'string', default: 'exchange' },
        runs: { type: 'string', default: '1000' },
        steps: { type: 'string' },
        seed: { type: 'string', default: '1' },
        workers: { type: 'string', default: String(availableParallelism()) },
        trace: { type: 'boolean', default: false },
        planted: { type: 'string' },
        help: { type: 'boolean', short: 'h', default: false },
      },
    })
    if (values.help) return undefined
    const profile = parseProfile(values.profile)
    return {
      profile,
      steps: parseCount('steps', values.steps ?? String(STEPS_DEFAULT[profile])),
      seed: parseCount('seed', values.seed),
      runs: parseCount('runs', values.runs),
      workers: parseCount('workers', values.workers),
      trace: values.trace,
      planted: values.planted === undefined ? undefined : parsePlanted(values.planted),
    }
  } catch (error) {
    console.error(`${(error as Error).message}\n${USAGE}`)
    process.exit(2)
  }
}

function inWorker(job: Job, onReport: (report: Report) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL(import.meta.url), { workerData: job, resourceLimits: RESOURCES })
    worker.on('message', onReport)
    worker.on('error', reject)
    worker.on('exit', () => resolve())
  })
}

async function work(
  { profile, steps, seed, stride, runs }: Job,
  report: (report: Report) => void,
): Promise<void> {
  // Of errors only the message is reported, and users often ask for what cannot be.
  Error.stackTraceLimit = 0
  for (let first = 0; first < runs; first += RUNS_PER_REPORT) {
    const count = Math.min(RUNS_PER_REPORT, runs - first)
    const failures: { seed: number; message: string }[] = []
    let stepsDone = 0
    for (let i = first; i < first + count; i++) {
      const seedOfRun = seed + i * stride
      try {
        stepsDone += (await runSimulation({ profile, steps, seed: seedOfRun })).steps
      } catch (error) {
        stepsDone += steps
        failures.push({ seed: seedOfRun, message: String(error) })
      }
    }
    report({ runs: count, steps: stepsDone, failures })
  }
}

/** @throws {TypeError} */
function parseProfile(text: string): Profile {
  const profile = PROFILES.find((each) => each === text)
  if (profile) return profile
  throw new TypeError(`--profile: expected one of ${PROFILES.join(', ')}`)
}

/** @throws {TypeError} */
function parsePlanted(text: string): readonly PlantedBug[] {
  const bugs = PLANTED_BUGS.filter((bug) => text === 'all' || bug === text)
  if (bugs.length > 0) return bugs
  throw new TypeError(`--planted: expected all, or one of ${PLANTED_BUGS.join(', ')}`)
}

/** @throws {TypeError} */
function parseCount(option: string, text: string): number {
  const count = Number(text)
  if (!Number.isSafeInteger(count) || count < 1) throw new TypeError(`--${option}: expected a count`)
  return count
}
