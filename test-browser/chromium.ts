import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const CLOSE_MS = 3_000
const PROGRAM = process.env.TIDEMARK_CHROMIUM ?? 'chromium'

/** @returns its version. @throws it is not here. */
export function mustChromium(): string {
  const { stdout, error } = spawnSync(PROGRAM, ['--version'], { encoding: 'utf8' })
  if (error)
    throw new Error(`${PROGRAM} cannot be started (Debian: apt-get install chromium): ${error.message}`)
  return stdout.trim()
}

/** Chromium without a window, with a profile of its own; ended by its process id. */
export class Chromium {
  readonly #profile = mkdtempSync(join(tmpdir(), 'tidemark-chromium-'))
  readonly #child: ChildProcess
  /** What it says, for a test that fails. */
  readonly log: string[] = []

  constructor(url: string) {
    const flags = [
      '--headless=new',
      '--no-sandbox',
      '--no-first-run',
      '--disable-gpu',
      '--disable-dev-shm-usage',
      '--disable-extensions',
      '--disable-background-networking',
      '--enable-logging=stderr',
      `--user-data-dir=${this.#profile}`,
    ]
    this.#child = spawn(PROGRAM, [...flags, url], {
      stdio: ['ignore', 'ignore', 'pipe'],
      detached: true,
    })
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => this.log.push(text))
  }

  async close(): Promise<void> {
    const { exitCode, signalCode } = this.#child
    if (exitCode === null && signalCode === null) {
      const ended = once(this.#child, 'exit')
      const timer = setTimeout(() => this.#child.kill('SIGKILL'), CLOSE_MS)
      // Its helpers end with it, a little later.
      this.#child.kill('SIGTERM')
      await ended
      clearTimeout(timer)
    }
    this.#endHelpers()
    rmSync(this.#profile, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 })
  }

  /** Those of its group that outlive it, and would still write into the profile. */
  #endHelpers(): void {
    try {
      process.kill(-this.#child.pid!, 'SIGKILL')
    } catch {
      // None is left.
    }
  }
}
