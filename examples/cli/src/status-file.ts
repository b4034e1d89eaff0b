import { writeFileAtomically } from './atomic-file.js'
import type { StatusReport } from './status-report.js'

/** A transfer changes its status many times a second; the file follows at this pace. */
const INTERVAL_MS = 250

/** Keeps `status.json` what the running `sync` last said, so that it can be read when none runs. */
export class StatusFile {
  readonly #path: string
  readonly #report: () => StatusReport
  #timer: NodeJS.Timeout | undefined
  #written = ''

  constructor(path: string, report: () => StatusReport) {
    this.#path = path
    this.#report = report
  }

  /** Writes soon. */
  changed(): void {
    this.#timer ??= setTimeout(() => this.write(), INTERVAL_MS)
  }

  /** Writes now, where anything changed. */
  write(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    const text = `${JSON.stringify(this.#report())}\n`
    if (text === this.#written) return
    try {
      writeFileAtomically(this.#path, text)
      this.#written = text
    } catch {
      // A full or read-only disk: a convenience for later must not end the sync. The next change tries again.
    }
  }
}
