import { cpus, totalmem } from 'node:os'
import { parseArgs } from 'node:util'
import { measureDedup } from './dedup.js'
import { measureEdits } from './edits.js'
import { bigFile, measureFirstSync, smallFiles } from './first-sync.js'
import { measureHuge } from './huge/huge.js'
import { measureLatency } from './latency.js'
import { measureLimits } from './limits/limits.js'
import { type Figure, formatTable, isMissed } from './measure.js'
import { measureMemory } from './memory.js'
import { realTree } from './real-tree.js'
import { hasRsync } from './rsync-daemon.js'

const GIB = 1 << 30
const MIB = 1 << 20

const USAGE = `usage: npm run bench -- [--short] [SCENARIO …]
       npm run bench -- huge [--bytes N] [--kills N] [--seed N]
       npm run bench -- dedup [--before NAME@VERSION] [--after NAME@VERSION]

scenarios: small, big, edits, latency, memory, real-tree; all of them if none is named
           huge only if it is named: a hub keeps as many bytes on disk
           dedup only if it is named: npm fetches two packages
           limits only if it is named: rates beside what this machine does at most
  --short     smaller sizes: a few minutes instead of about 15
  --bytes N   of the huge file; 50,000,000,000 if left out
  --kills N   while it is on its way, both ways together; 20 if left out
  --seed N    of its bytes, and of when what is killed; 1 if left out
  --before P  package of npm; typescript@5.9.2 if left out
  --after P   package of npm; typescript@5.9.3 if left out
  --goals     exit code 1 for a missed goal too
`

const { values, positionals } = readOptions()
const short = values.short === true

const SCENARIOS: Readonly<Record<string, () => Promise<Figure[]>>> = {
  small: () => measureFirstSync(smallFiles(10_000), 3),
  big: () => measureFirstSync(bigFile(short ? 256 * MIB : GIB), 3),
  edits: () => measureEdits(short ? 128 * MIB : GIB, short ? 5 : 20),
  latency: () => measureLatency(short ? 60 : 200),
  memory: () => measureMemory(1_000, short ? 20_000 : 100_000),
  'real-tree': () => realTree(GIB),
}
/** Only when they are named. */
const OTHER_SCENARIOS: Readonly<Record<string, () => Promise<Figure[]>>> = {
  huge: () =>
    measureHuge({
      bytes: countOf(values.bytes, 50_000_000_000),
      kills: countOf(values.kills, 20),
      seed: countOf(values.seed, 1),
    }),
  limits: () => measureLimits({ bytes: short ? 256 * MIB : 2 * GIB, files: short ? 10_000 : 50_000 }),
  dedup: () =>
    measureDedup({
      before: values.before ?? 'typescript@5.9.2',
      after: values.after ?? 'typescript@5.9.3',
    }),
}

function readOptions() {
  try {
    return parseArgs({
      options: {
        short: { type: 'boolean' },
        goals: { type: 'boolean' },
        bytes: { type: 'string' },
        kills: { type: 'string' },
        seed: { type: 'string' },
        before: { type: 'string' },
        after: { type: 'string' },
        help: { type: 'boolean', short: 'h' },
      },
      allowPositionals: true,
    })
  } catch (error) {
    return refuse((error as Error).message)
  }
}

function countOf(text: string | undefined, otherwise: number): number {
  if (text === undefined) return otherwise
  const count = Number(text)
  return Number.isSafeInteger(count) && count >= 0 ? count : refuse(`not a count: ${text}`)
}

function refuse(reason: string): never {
  process.stderr.write(`${reason}\n${USAGE}`)
  process.exit(2)
}

async function main(): Promise<void> {
  if (values.help) {
    process.stdout.write(USAGE)
    return
  }
  const scenarios = { ...SCENARIOS, ...OTHER_SCENARIOS }
  const unknown = positionals.find((name) => !Object.hasOwn(scenarios, name))
  if (unknown !== undefined) refuse(`no scenario ${unknown}`)
  if (!hasRsync()) process.stdout.write('rsync is not installed: no ratios\n')
  const figures: Figure[] = []
  const failures: { scenario: string; message: string }[] = []
  for (const name of positionals.length > 0 ? positionals : Object.keys(SCENARIOS)) {
    process.stdout.write(`measuring ${name} …\n`)
    const began = performance.now()
    try {
      figures.push(...(await scenarios[name]!()))
    } catch (error) {
      failures.push({ scenario: name, message: (error as Error).message })
    }
    process.stdout.write(`  ${((performance.now() - began) / 1000).toFixed(0)} s\n`)
  }
  const machine = {
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: cpus().length,
    memoryGib: Math.round(totalmem() / GIB),
    node: process.version,
    short,
  }
  process.stdout.write(`\n${formatTable(figures)}\n\n${JSON.stringify({ machine, figures, failures })}\n`)
  for (const { scenario, message } of failures) process.stderr.write(`${scenario} failed: ${message}\n`)
  const missed = figures.filter(isMissed)
  for (const { scenario, what } of missed) process.stderr.write(`goal missed: ${scenario}, ${what}\n`)
  if (failures.length > 0 || (values.goals && missed.length > 0)) process.exitCode = 1
}

await main()
