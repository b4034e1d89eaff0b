import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { formatScript, type Script } from './script.js'
import { shrink } from './shrink.js'
import { replay, simulate } from './simulate.js'
import { SimulationError } from './simulation-error.js'

const USAGE = `usage: npm run simulate -- [options]

  --seeds A-B          default 1-20; one seed is a range of itself
  --steps N            what happens in one run before all is healed; default 300
  --until-minutes N    no new run begins after that many minutes
  --script FILE        replays a script instead; - reads the standard input
  --shrink             cuts the script that fails to a short one
  --trace              prints what happens, line by line
`
const PROGRESS_MS = 10_000
const EXIT_USAGE = 2

await main()

async function main(): Promise<void> {
  const options = readOptions()
  if (!options) return
  const { script, first, last, steps, untilMinutes, isShrunk, print } = options
  const startedMs = performance.now()
  const done = { runs: 0, steps: 0, virtualMs: 0, messages: 0, failures: 0 }
  const report = (): void => {
    const seconds = (performance.now() - startedMs) / 1_000
    const hours = done.virtualMs / 3_600_000
    console.log(
      `${done.runs} runs, ${done.steps} steps in ${seconds.toFixed(1)} s (${Math.round(done.steps / seconds)} steps/s), ` +
        `${hours.toFixed(1)} virtual hours, ${done.messages} messages, ${done.failures} failures`,
    )
  }
  let reportedMs = startedMs
  for (let seed = first; seed <= last; seed++) {
    const nowMs = performance.now()
    if (nowMs - startedMs > untilMinutes * 60_000) break
    if (nowMs - reportedMs > PROGRESS_MS) {
      reportedMs = nowMs
      report()
    }
    try {
      const options = { print }
      const result = script ? await replay(script, options) : await simulate({ seed, steps, ...options })
      done.steps += result.steps
      done.virtualMs += result.virtualMs
      done.messages += result.messages
      if (first === last) console.log(`trace ${result.traceHash}`)
    } catch (error) {
      if (!(error instanceof SimulationError)) throw error
      done.failures++
      done.steps += error.script.acts.length
      console.log(`seed ${seed}: ${error.rule}: ${error.detail}`)
      if (script === undefined) console.log(`  npm run simulate -- --seeds ${seed} --steps ${steps} --trace`)
      if (isShrunk) await printShort(error.script)
    }
    done.runs++
    if (script !== undefined) break
  }
  report()
  if (done.failures > 0) process.exitCode = 1
}

/** The short script, and the command that replays it as it stands. */
async function printShort(script: Script): Promise<void> {
  const onProgress = ({ acts }: Script, replays: number): void =>
    console.error(`${acts.length} acts after ${replays} replays`)
  const short = await shrink(script, { onProgress })
  console.log(`${short.rule}: ${short.error.detail}\n`)
  console.log(`npm run simulate -- --script - <<'END'\n${formatScript(short.script)}\nEND`)
}

/** @returns `undefined`: help was asked for. A wrong option ends the process with 2. */
function readOptions() {
  try {
    const { values } = parseArgs({
      options: {
        seeds: { type: 'string', default: '1-20' },
        steps: { type: 'string', default: '300' },
        'until-minutes': { type: 'string', default: '1000000' },
        script: { type: 'string' },
        shrink: { type: 'boolean', default: false },
        trace: { type: 'boolean', default: false },
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
      untilMinutes: parseCount('until-minutes', values['until-minutes']),
      script:
        values.script === undefined
          ? undefined
          : readFileSync(values.script === '-' ? 0 : values.script, 'utf8'),
      isShrunk: values.shrink,
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
