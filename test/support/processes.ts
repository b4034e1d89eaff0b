import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

const MAIN = fileURLToPath(new URL('../../examples/cli/dist/main.js', import.meta.url))
export const TOKEN = 'secret-of-the-tests'

/** A real process of the command line, ended by pid. */
export interface Running {
  readonly child: ChildProcess
  /** SIGKILL: no chance to clean up. */
  kill(): Promise<void>
  /** SIGTERM, then the exit code. */
  stop(): Promise<number | null>
}

export interface Program extends Running {
  /** Of its standard output so far. */
  readonly lines: string[]
  readonly errors: string[]
}

export interface Hub extends Running {
  readonly url: string
  readonly port: number
  /** Its log, a JSON object a line. */
  readonly log: readonly string[]
}

export interface StatusReport {
  readonly state: string
  readonly connected: boolean
  readonly pending: number
  readonly pid: number | null
  readonly detail: string
  readonly held: { readonly reason: string; readonly deletes: number; readonly entries: number } | null
  readonly problems: readonly { path: string; cause: string; detail: string; fix: string }[]
  readonly tombstones: number | null
}

/** Time before the end of a `--once` that takes too long, to ask it what it is waiting for. */
const STATUS_TIMEOUT_MS = 5_000

function stateOf(extra: readonly string[]): readonly string[] {
  const at = extra.indexOf('--state')
  return at < 0 ? [] : extra.slice(at, at + 2)
}

export interface OnceOptions {
  readonly extra?: readonly string[]
  /** A program that runs the command line, with its arguments. */
  readonly wrapper?: readonly string[]
  readonly timeoutMs?: number
}

export interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** A hub, folders and the processes on them; `close` ends every process and removes everything. */
export class World {
  readonly home = mkdtempSync(join(tmpdir(), 'tidemark-test-'))
  readonly #running = new Set<ChildProcess>()

  path(...parts: string[]): string {
    return join(this.home, ...parts)
  }

  /** @param wrapper A program that runs the command line, with its arguments. */
  spawn(args: readonly string[], wrapper: readonly string[] = []): Program {
    return this.start([...wrapper, process.execPath, MAIN, ...args])
  }

  /** Any program, with its arguments. */
  start(command: readonly string[]): Program {
    const [program, ...rest] = command as [string, ...string[]]
    const child = spawn(program, rest, {
      stdio: ['ignore', 'pipe', 'pipe'],
      // Control sockets of processes that are killed go with the rest.
      env: { ...process.env, TMPDIR: this.home },
    })
    this.#running.add(child)
    child.on('exit', () => this.#running.delete(child))
    const lines: string[] = []
    const errors: string[] = []
    createInterface({ input: child.stdout }).on('line', (line) => lines.push(line))
    createInterface({ input: child.stderr }).on('line', (line) => errors.push(line))
    const end = async (signal: 'SIGKILL' | 'SIGTERM') => {
      if (child.exitCode === null && child.signalCode === null) {
        child.kill(signal)
        await once(child, 'close')
      }
      return child.exitCode
    }
    return {
      child,
      lines,
      errors,
      kill: async () => void (await end('SIGKILL')),
      stop: () => end('SIGTERM'),
    }
  }

  /**
   * Starts a hub and waits for its line.
   * @param wrapper A program that runs the command line, with its arguments.
   */
  async hub(port = 0, extra: readonly string[] = [], wrapper: readonly string[] = []): Promise<Hub> {
    const args = ['--port', String(port), '--data', this.path('hub'), '--token', TOKEN, '--json', ...extra]
    const running = this.spawn(['hub', ...args], wrapper)
    await until('the hub is ready', () => running.lines.length > 0 || running.child.exitCode !== null)
    const line = running.lines[0]
    if (line === undefined) throw new Error(`the hub did not start: ${running.errors.join('\n')}`)
    const { url } = JSON.parse(line) as { url: string }
    return { ...running, log: running.errors, url, port: Number(new URL(url).port) }
  }

  /** Keeps a folder in sync until ended. */
  live(folder: string, hub: { url: string }, extra: readonly string[] = []): Program {
    return this.spawn(['sync', folder, '--hub', hub.url, '--token', TOKEN, ...extra])
  }

  /** Settles and exits. @returns the exit code, 0 or 3. @throws when it fails or takes too long. */
  async once(folder: string, hub: { url: string }, options: OnceOptions = {}): Promise<number> {
    const { extra = [], wrapper = [], timeoutMs = 60_000 } = options
    const args = ['sync', folder, '--hub', hub.url, '--token', TOKEN, '--once', ...extra]
    let stuck = ''
    const timer = setTimeout(async () => {
      stuck = (await this.run(['status', folder, '--json', ...stateOf(extra)])).stdout
    }, timeoutMs - STATUS_TIMEOUT_MS)
    const { code, stderr } = await this.run(args, { wrapper, timeoutMs })
    clearTimeout(timer)
    if (code === null) {
      throw new Error(`sync --once of ${folder} did not settle in ${timeoutMs} ms\n${stuck}\n${stderr}`)
    }
    if (code !== 0 && code !== 3) throw new Error(`sync --once failed with ${code}:\n${stderr}`)
    return code
  }

  /** Runs a command to its end. @returns code `null` when it took too long and was killed. */
  async run(args: readonly string[], options: Omit<OnceOptions, 'extra'> = {}): Promise<Ended> {
    const running = this.spawn(args, options.wrapper)
    const timer = setTimeout(() => running.child.kill('SIGKILL'), options.timeoutMs ?? 60_000)
    await once(running.child, 'close')
    clearTimeout(timer)
    return {
      code: running.child.exitCode,
      stdout: running.lines.join('\n'),
      stderr: running.errors.join('\n'),
    }
  }

  async status(folder: string): Promise<StatusReport> {
    const { stdout, stderr } = await this.run(['status', folder, '--json'])
    if (!stdout) throw new Error(stderr)
    return JSON.parse(stdout) as StatusReport
  }

  /** @param keep Leaves everything on disk and says where, to look into a failure. */
  async close({ keep = false }: { readonly keep?: boolean } = {}): Promise<void> {
    const running = [...this.#running]
    for (const child of running) child.kill('SIGKILL')
    await Promise.all(running.map((child) => (child.exitCode ?? child.signalCode) || once(child, 'exit')))
    if (keep) process.stdout.write(`kept: ${this.home}\n`)
    else rmSync(this.home, { recursive: true, force: true })
  }
}

/** Waits until `holds`, looking every few milliseconds. */
export async function until(
  what: string,
  holds: () => boolean | Promise<boolean>,
  timeoutMs = 30_000,
): Promise<number> {
  const began = performance.now()
  while (!(await holds())) {
    if (performance.now() - began > timeoutMs)
      throw new Error(`timed out after ${timeoutMs} ms waiting until ${what}`)
    await delay(10)
  }
  return performance.now() - began
}
