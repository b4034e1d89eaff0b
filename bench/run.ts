import { cpus, totalmem } from 'node:os'
import { parseArgs } from 'node:util'
import { bigFile, measureFirstSync, smallFiles } from './first-sync.js'
import { measureLatency } from './latency.js'
import { type Figure, formatTable } from './measure.js'
import { measureMemory } from './memory.js'
import { realTree } from './real-tree.js'
import { hasRsync } from './rsync-daemon.js'

const GIB = 1 << 30
const MIB = 1 << 20

const USAGE = `usage: npm run bench -- [--short] [SCENARIO …]

scenarios: small, big, latency, memory, real-tree; all of them if none is named
  --short   smaller sizes: a few minutes instead of about 15
`

const { values, positionals } = readOptions()
const short = values.short === true

const SCENARIOS: Readonly<Record<string, () => Promise<Figure[]>>> = {
  small: () => measureFirstSync(smallFiles(10_000), 3),
  big: () => measureFirstSync(bigFile(short ? 256 * MIB : GIB), 3),
  latency: () => measureLatency(short ? 60 : 200),
  memory: () => measureMemory(1_000, short ? 20_000 : 100_000),
  'real-tree': () => realTree(GIB),
}

function readOptions() {
  try {
    return parseArgs({
      options: { short: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } },
      allowPositionals: true,
    })
  } catch (error) {
    return refuse((error as Error).message)
  }
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
  const unknown = positionals.find((name) => !Object.hasOwn(SCENARIOS, name))
  if (unknown !== undefined) refuse(`no scenario ${unknown}`)
  if (!hasRsync()) process.stdout.write('rsync is not installed: no ratios\n')
  const figures: Figure[] = []
  const failures: { scenario: string; message: string }[] = []
  for (const name of positionals.length > 0 ? positionals : Object.keys(SCENARIOS)) {
    process.stdout.write(`measuring ${name} …\n`)
    const began = performance.now()
    try {
      figures.push(...(await SCENARIOS[name]!()))
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
  if (failures.length > 0) process.exitCode = 1
}

await main()
