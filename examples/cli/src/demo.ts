import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
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

function start(name: string, args: string[]): ChildProcess {
  const child = spawn(process.execPath, [MAIN, ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
  children.push(child)
  child.on('exit', (code) => {
    if (!stopping) {
      say(`[${name}] ended unexpectedly with code ${code}`)
      void stop(1)
    }
  })
  return child
}

/** Resolves with the first line that `child` prints; the rest is read and dropped. */
async function firstLine(child: ChildProcess): Promise<string> {
  const lines = createInterface({ input: child.stdout! })
  const [line] = (await once(lines, 'line')) as [string]
  return line
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
  for (const child of children) if (child.exitCode === null) child.kill('SIGTERM')
  await Promise.all(children.map((child) => (child.exitCode === null ? once(child, 'exit') : undefined)))
  rmSync(home, { recursive: true, force: true })
  process.exit(code)
}

async function main(): Promise<void> {
  mkdirSync(laptop)
  mkdirSync(desktop)
  writeFileSync(join(laptop, 'hello.txt'), 'hello from the laptop\n')

  say('1. Starting a hub on a free port, with a fresh data directory.')
  const hub = start('hub', ['hub', '--port', '0', '--data', join(home, 'hub'), '--token', 'demo', '--json'])
  const { url } = JSON.parse(await firstLine(hub)) as { url: string }
  say(`   hub ready at ${url}`)

  say(`2. Starting two replicas:\n   ${laptop}\n   ${desktop}`)
  for (const folder of [laptop, desktop]) start('sync', ['sync', folder, '--hub', url, '--token', 'demo'])
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

process.on('SIGINT', () => void stop(0))
process.on('SIGTERM', () => void stop(0))
main().catch((error: Error) => {
  say(`demo failed: ${error.message}`)
  void stop(1)
})
