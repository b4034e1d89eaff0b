import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

/**
 * The first thing a newcomer runs: a hub and two replicas, three real processes, on two real folders.
 * Says what it does as it does it, then stays live until interrupted.
 */
const MAIN = fileURLToPath(new URL('./main.js', import.meta.url))
const children: ChildProcess[] = []
const home = mkdtempSync(join(tmpdir(), 'tidemark-demo-'))
const laptop = join(home, 'laptop')
const desktop = join(home, 'desktop')

function say(text: string): void {
  process.stdout.write(`${text}\n`)
}

/** What it says goes to a log of its own, which is shown when it fails. */
function start(name: string, args: string[]): ChildProcess {
  const log = join(home, `${name}.log`)
  const output = openSync(log, 'a')
  const child = spawn(process.execPath, [MAIN, ...args], { stdio: ['ignore', output, output] })
  closeSync(output)
  children.push(child)
  child.on('exit', (code, signal) => {
    // A Ctrl-C reaches every process of the terminal, this one perhaps last.
    setTimeout(() => {
      if (stopping) return
      say(`[${name}] ended unexpectedly: ${signal ?? `code ${code}`}\n${readFileSync(log, 'utf8')}`)
      void stop(1)
    }, 200)
  })
  return child
}

const hasEnded = ({ exitCode, signalCode }: ChildProcess): boolean => exitCode !== null || signalCode !== null

/** The address in the first line of the hub's log; the log itself goes on. */
async function hubUrl(): Promise<string> {
  let url: string | undefined
  await until('the hub listens', () => {
    url = /^\{"url":"([^"]+)"\}$/m.exec(read(home, 'hub.log') ?? '')?.[1]
    return url !== undefined
  })
  return url!
}

async function until(what: string, holds: () => boolean): Promise<number> {
  const began = performance.now()
  while (!holds()) {
    if (performance.now() - began > 30_000) throw new Error(`timed out waiting until ${what}`)
    await delay(2)
  }
  return performance.now() - began
}

const read = (...parts: string[]): string | undefined => {
  try {
    return readFileSync(join(...parts), 'utf8')
  } catch {
    return undefined
  }
}

let stopping = false
async function stop(code: number): Promise<void> {
  if (stopping) return
  stopping = true
  for (const child of children) if (!hasEnded(child)) child.kill('SIGTERM')
  await Promise.all(children.map((child) => (hasEnded(child) ? undefined : once(child, 'exit'))))
  rmSync(home, { recursive: true, force: true })
  process.exit(code)
}

async function main(): Promise<void> {
  mkdirSync(laptop)
  mkdirSync(desktop)
  writeFileSync(join(laptop, 'hello.txt'), 'hello from the laptop\n')

  say('1. Starting a hub on a free port, with a fresh data directory.')
  start('hub', ['hub', '--port', '0', '--data', join(home, 'hub'), '--token', 'demo', '--json'])
  const url = await hubUrl()
  say(`   hub ready at ${url}`)

  say(`2. Starting two replicas:\n   ${laptop}\n   ${desktop}`)
  for (const folder of [laptop, desktop]) {
    start(basename(folder), ['sync', folder, '--hub', url, '--token', 'demo'])
  }
  await until('hello.txt arrives', () => read(desktop, 'hello.txt') !== undefined)
  say('   hello.txt travelled from laptop to desktop.')

  say('3. Editing on the desktop.')
  writeFileSync(join(desktop, 'hello.txt'), 'edited on the desktop\n')
  const ms = await until('the edit arrives', () => read(laptop, 'hello.txt') === 'edited on the desktop\n')
  say(`   the laptop has it, ${ms.toFixed(0)} ms after the write.`)

  say('4. Renaming a directory with 100 files on the laptop.')
  mkdirSync(join(laptop, 'photos'))
  for (let i = 0; i < 100; i++) writeFileSync(join(laptop, 'photos', `${i}.txt`), `picture ${i}\n`)
  await until('the photos arrive', () => existsSync(join(desktop, 'photos', '99.txt')))
  await delay(500)
  renameSync(join(laptop, 'photos'), join(laptop, 'album'))
  await until(
    'the rename arrives',
    () => existsSync(join(desktop, 'album', '99.txt')) && !existsSync(join(desktop, 'photos')),
  )
  say('   the desktop renamed it too: one record, no bytes.')

  say('\nLive now. Change anything in either folder and look at the other. Ctrl-C ends and cleans up.')
}

for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, () => void stop(0))
main().catch((error: Error) => {
  if (stopping) return
  say(`demo failed: ${error.message}`)
  void stop(1)
})
