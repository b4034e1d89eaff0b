import { GOALS } from '../goals.js'
import { type Figure, median } from '../measure.js'
import type { Passage, Toll } from './passage.js'
import type { Peaks } from './peaks.js'

const MIB = 1 << 20
const GOAL_OF_ROLE = { goal: GOALS.replicaMib }

export function hugeFigures(
  bytes: number,
  ways: { readonly up: Passage; readonly down: Passage },
  peaks: Readonly<Record<'writer' | 'hub' | 'reader', Peaks>>,
): Figure[] {
  const scenario = `huge file, ${bytes / 1e9} GB, hash equal`
  const figures: Figure[] = []
  for (const [way, { wallMs, tolls, overheadBytes }] of Object.entries(ways)) {
    const figure = (what: string, value: number, unit: string, goal?: number): void => {
      figures.push({
        scenario,
        what: `${way}, ${what}`,
        value,
        unit,
        ...(goal === undefined ? {} : { goal }),
      })
    }
    figure('wall', wallMs / 1000, 's')
    figure('throughput', bytes / 1e3 / wallMs, 'MB/s')
    figure('sent beyond the file, in all', overheadBytes / MIB, 'MiB')
    if (tolls.length === 0) continue
    figure(`kills: ${countsOf(tolls)}`, tolls.length, '')
    const again = tolls.map(({ againBytes }) => againBytes / MIB)
    figure('sent again after a kill, median', median(again), 'MiB')
    figure('sent again after a kill, most', Math.max(...again), 'MiB', GOALS.sentAgainMib)
    const resume = tolls.map(({ resumeMs }) => resumeMs / 1000)
    figure('restart to first new byte, median', median(resume), 's')
    figure('restart to first new byte, longest', Math.max(...resume), 's', GOALS.resumeS)
  }
  for (const [role, all] of Object.entries(peaks)) {
    const { mib, cpuMs } = all.stop()
    figures.push({ scenario, what: `peak RSS, ${role}`, value: mib, unit: 'MiB', ...GOAL_OF_ROLE })
    figures.push({ scenario, what: `CPU, ${role}`, value: cpuMs / 1000, unit: 's' })
  }
  return figures
}

function countsOf(tolls: readonly Toll[]): string {
  const counts = new Map<string, number>()
  for (const { kind } of tolls) counts.set(kind, (counts.get(kind) ?? 0) + 1)
  return [...counts].map(([kind, count]) => `${count} ${kind}`).join(', ')
}
