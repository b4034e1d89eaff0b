import { readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import { isMainThread } from 'node:worker_threads'
import { plantedByName, printFindings } from './planted-cli.js'
import { formatScript, type Script } from './script.js'
import { shrink } from './shrink.js'
import { replay, simulate } from './simulate.js'
import { SimulationError } from './simulation-error.js'
import { inWorkers, type Job, type Outcome, outcomeOf, work } from './workers.js'

const USAGE = `usage: npm run simulate -- [options]

  --seeds A-B          default 1-20; one seed is a range of itself
  --steps N            what happens in one run before all is healed; default 300
  --until-minutes N    no new run begins after that many minutes
  --workers N          threads; default one for each core
  --sweeps             the hub deletes bytes that nobody needs, and a day is a minute to it
  --script FILE        replays a script instead; - reads the standard input
  --shrink             cuts the script that fails to a short one
  --trace              prints what happens, line by line
  --planted NAME       instead: which of the seeds notice a planted mistake; all: each of them
`
const PROGRESS_MS = 10_000
const EXIT_USAGE = 2
const FAILURES_SHOWN_MAX = 20

if (isMainThread) await main()
else work()

async function main(): Promise<void> {
  const options = readOptions()
  if (!options) return
  if (options.script !== undefined) return replayScript(options.script, options)
  const { first, last, steps, sweeps, untilMinutes, planted } = options
  if (planted) {
    const seeds = Array.from({ length: last - first + 1 }, (_, i) => first + i)
    await printFindings(planted, seeds, steps)
    return
  }
  const startedMs = performance.now()
  const total = { runs: 0, steps: 0, virtualMs: 0, messages: 0, failures: 0 }
  const workers = Math.min(options.workers, last - first + 1)
  const report = (): void => {
    const seconds = (performance.now() - startedMs) / 1_000
    const hours = total.virtualMs / 3_600_000
    console.log(
      `${total.runs} runs, ${total.steps} steps in ${seconds.toFixed(1)} s (${Math.round(total.steps / seconds)} steps/s, ` +
        `${workers} workers), ${hours.toFixed(1)} virtual hours, ${total.messages} messages, ${total.failures} failures`,
    )
  }
  let seed = first
  const next = (): Job | undefined => {
    const isOver = performance.now() - startedMs > untilMinutes * 60_000
    return seed > last || isOver ? undefined : { seed: seed++, steps, sweeps }
  }
  const failed: number[] = []
  const onOutcome = (outcome: Outcome): void => {
    total.runs++
    total.steps += outcome.steps
    total.virtualMs += outcome.virtualMs
    total.messages += outcome.messages
    if (!outcome.failure) return
    total.failures++
    failed.push(outcome.seed)
    if (total.failures > FAILURES_SHOWN_MAX) return
    console.log(`seed ${outcome.seed}: ${outcome.failure.rule}: ${outcome.failure.detail}`)
    console.log(
      `  npm run simulate -- --seeds ${outcome.seed} --steps ${steps}${sweeps ? ' --sweeps' : ''} --trace`,
    )
  }
  const ticks = setInterval(report, PROGRESS_MS)
  if (options.print || first === last) await runAll(next, options.print, onOutcome)
  else await inWorkers(new URL(import.meta.url), workers, next, onOutcome)
  clearInterval(ticks)
  report()
  if (seed <= last) console.log(`the time is over: seeds ${first}-${seed - 1} were run`)
  if (failed.length > FAILURES_SHOWN_MAX) console.log(`failed: ${failed.sort((a, b) => a - b).join(' ')}`)
  if (failed.length > 0) process.exitCode = 1
  if (options.isShrunk)
    for (const each of failed) await printShortOf(() => simulate({ seed: each, steps, sweeps }), sweeps)
}

/** Here, where each line of the trace can be printed. */
async function runAll(
  next: () => Job | undefined,
  print: ((line: string) => void) | undefined,
  onOutcome: (outcome: Outcome) => void,
): Promise<void> {
  for (let job = next(); job; job = next()) {
    const outcome = await outcomeOf(job, print)
    if (outcome.traceHash !== undefined) console.log(`trace ${outcome.traceHash}`)
    onOutcome(outcome)
  }
}

async function replayScript(
  script: string,
  { isShrunk, print, sweeps }: Pick<Options, 'isShrunk' | 'print' | 'sweeps'>,
) {
  try {
    const { traceHash, steps } = await replay(script, { print, sweeps })
    console.log(`trace ${traceHash}\n${steps} acts, no failure`)
  } catch (error) {
    if (!(error instanceof SimulationError)) throw error
    console.log(`${error.rule}: ${error.detail}`)
    process.exitCode = 1
    if (isShrunk) await printShort(error.script, sweeps)
  }
}

async function printShortOf(run: () => Promise<unknown>, sweeps: boolean): Promise<void> {
  try {
    await run()
  } catch (error) {
    if (!(error instanceof SimulationError)) throw error
    await printShort(error.script, sweeps)
  }
}

/** The short script, and the command that replays it as it stands. */
async function printShort(script: Script, sweeps: boolean): Promise<void> {
  const onProgress = ({ acts }: Script, replays: number): void =>
    console.error(`${acts.length} acts after ${replays} replays`)
  const short = await shrink(script, { onProgress, sweeps })
  console.log(`${short.rule}: ${short.error.detail}\n`)
  console.log(
    `npm run simulate -- ${sweeps ? '--sweeps ' : ''}--script - <<'END'\n${formatScript(short.script)}\nEND`,
  )
}

type Options = NonNullable<ReturnType<typeof readOptions>>

/** @returns `undefined`: help was asked for. A wrong option ends the process with 2. */
function readOptions() {
  try {
    const { values } = parseArgs({
      options: {
        seeds: { type: 'string', default: '1-20' },
        steps: { type: 'string', default: '300' },
        workers: { type: 'string', default: String(availableParallelism()) },
        'until-minutes': { type: 'string', default: '1000000' },
        sweeps: { type: 'boolean', default: false },
        script: { type: 'string' },
        shrink: { type: 'boolean', default: false },
        trace: { type: 'boolean', default: false },
        planted: { type: 'string' },
        help: { type: 'boolean', short: 'h', default: false },
      },
    })
    if (values.help) {
      console.log(USAGE)
      return undefined
    }
    const [first, last] = values.seeds.split('-')
    return {
      first: parseCount('seeds', first),
      last: parseCount('seeds', last ?? first),
      steps: parseCount('steps', values.steps),
      workers: parseCount('workers', values.workers),
      untilMinutes: parseCount('until-minutes', values['until-minutes']),
      script:
        values.script === undefined
          ? undefined
          : readFileSync(values.script === '-' ? 0 : values.script, 'utf8'),
      sweeps: values.sweeps,
      isShrunk: values.shrink,
      planted: values.planted === undefined ? undefined : plantedByName(values.planted),
      print: values.trace ? (line: string) => console.log(line) : undefined,
    }
  } catch (error) {
    console.error(`${(error as Error).message}\n${USAGE}`)
    process.exit(EXIT_USAGE)
  }
}

/** @throws {TypeError} */
function parseCount(option: string, text: string | undefined): number {
  const count = Number(text)
  if (!Number.isSafeInteger(count) || count < 1) throw new TypeError(`--${option}: expected a count`)
  return count
}
