import { ProcessCosts } from '../process-costs.js'

/** Highest resident set of a role, over all lives of its process. */
export class Peaks {
  #running: ProcessCosts | undefined
  #cpuMs = 0
  #mib = 0

  /** A new process in this role. */
  watch(pid: number): void {
    this.stop()
    this.#running = new ProcessCosts(pid)
  }

  /** @returns of all lives until now. */
  stop(): { readonly cpuMs: number; readonly mib: number } {
    const costs = this.#running?.stop()
    this.#running = undefined
    this.#cpuMs += costs?.cpuMs ?? 0
    this.#mib = Math.max(this.#mib, costs?.peakMib ?? 0)
    return { cpuMs: this.#cpuMs, mib: this.#mib }
  }
}
