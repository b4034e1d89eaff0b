import { readFileSync } from 'node:fs'

/** What a process and its descendants used. */
export interface Costs {
  /** User and system, milliseconds. */
  readonly cpuMs: number
  /** Highest resident set of any one of them, MiB. */
  readonly peakMib: number
}

const INTERVAL_MS = 25
/** Linux reports CPU time in ticks of 1/100 s, whatever the kernel's own clock. */
const MS_PER_TICK = 10

/**
 * Reads /proc while a process runs: Node tells resource usage only of itself. CPU time that was used
 * after the last look at a process, at most 25 ms before its end, is missing.
 */
export class ProcessCosts {
  readonly #pid: number
  readonly #cpuMs = new Map<number, number>()
  readonly #timer: NodeJS.Timeout
  readonly #beforeMs: number
  #peakMib = 0

  constructor(pid: number) {
    this.#pid = pid
    this.#look(pid)
    this.#beforeMs = this.#sum()
    this.#timer = setInterval(() => this.#look(pid), INTERVAL_MS)
  }

  /** Since the start of this watch. */
  stop(): Costs {
    clearInterval(this.#timer)
    this.#look(this.#pid)
    return { cpuMs: this.#sum() - this.#beforeMs, peakMib: this.#peakMib }
  }

  #sum(): number {
    let sum = 0
    for (const ms of this.#cpuMs.values()) sum += ms
    return sum
  }

  #look(pid: number): void {
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
      // Fields after the name, which may hold spaces: 12 and 13 are utime and stime.
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
      const ticks = Number(fields[11]) + Number(fields[12])
      this.#cpuMs.set(pid, ticks * MS_PER_TICK)
      const peakMib = memoryMib(pid, 'VmHWM')
      if (peakMib > this.#peakMib) this.#peakMib = peakMib
      const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1')
      for (const child of children.split(' ')) if (child !== '') this.#look(Number(child))
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code !== 'ENOENT' && code !== 'ESRCH') throw error
    }
  }
}

/** @returns NaN for a process that has ended and was not waited for yet. @throws ENOENT: there is none. */
export function memoryMib(pid: number, field: 'VmRSS' | 'VmHWM' | 'RssAnon'): number {
  const status = readFileSync(`/proc/${pid}/status`, 'latin1')
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(status)?.[1]) / 1024
}
