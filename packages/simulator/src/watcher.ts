import type { OpenWatcher } from '@tidemark/folder'
import type { SimulatedDisk } from '@tidemark/folder/testing'
import type { SimRandom } from './random.js'
import type { VirtualTime } from './virtual-time.js'

/** Time until a change is reported, mostly and at most, milliseconds. */
const DELAY_MS = 120
const DELAY_MS_MAX = 8_000
const LATE_ONE_IN = 40
const OVERFLOW_ONE_IN = 50

export interface WatcherParts {
  readonly disk: SimulatedDisk
  readonly time: VirtualTime
  readonly random: SimRandom
  isAlive(): boolean
  /** Reports are lost, and nobody is told. */
  isDeaf(): boolean
}

/** Watches a simulated disk; reports come late, and several become one. */
export const simulatedWatcher =
  ({ disk, time, random, isAlive, isDeaf }: WatcherParts): OpenWatcher =>
  (_root, events) => {
    const watched = new Map<string, { ino: string; stop: () => void; isFresh: boolean }>()
    const waiting = new Set<string>()
    let isClosed = false
    const report = (directory: string): void => {
      if (isDeaf() || waiting.has(directory)) return
      waiting.add(directory)
      const delayMs = random.below(random.chance(LATE_ONE_IN) ? DELAY_MS_MAX : DELAY_MS)
      time.after(delayMs, () => {
        waiting.delete(directory)
        if (isClosed || !isAlive()) return
        // The queue of the system ran over: somebody is told that, not what was in it.
        if (random.chance(OVERFLOW_ONE_IN)) events.overflow()
        else events.hint(directory)
      })
    }
    return {
      add(directory, ino) {
        const known = watched.get(directory)
        if (known?.ino === ino) {
          known.isFresh = true
          return
        }
        known?.stop()
        watched.set(directory, { ino, stop: disk.watch(ino, () => report(directory)), isFresh: true })
      },
      covers: (directory, ino) => watched.get(directory)?.ino === ino,
      sweep() {
        for (const [directory, entry] of watched) {
          if (!entry.isFresh) {
            entry.stop()
            watched.delete(directory)
          } else entry.isFresh = false
        }
      },
      close() {
        isClosed = true
        for (const { stop } of watched.values()) stop()
        watched.clear()
      },
    }
  }
