/** @returns the middle value; of an even count the lower one. */
export const median = (values: readonly number[]): number => quantile(values, 0.5)

/** Nearest rank. @throws {RangeError} no values. */
export function quantile(values: readonly number[], q: number): number {
  if (values.length === 0) throw new RangeError('no values')
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(q * sorted.length) - 1))]!
}

/** One figure of one scenario. */
export interface Figure {
  readonly scenario: string
  readonly what: string
  readonly value: number
  readonly unit: string
  /** What this machine's rsync needs for the same, where there is such a thing. */
  readonly rsync?: number
  /** The goal for `value`, or for its ratio to rsync where there is one. */
  readonly goal?: number
}

export const isMissed = ({ value, rsync, goal }: Figure): boolean =>
  goal !== undefined && !(value / (rsync ?? 1) <= goal)

export function formatTable(figures: readonly Figure[]): string {
  const rows = figures.map(({ scenario, what, value, unit, rsync, goal }) => [
    scenario,
    what,
    `${round(value)} ${unit}`,
    rsync === undefined ? '' : `${round(rsync)} ${unit}`,
    rsync === undefined ? '' : `${round(value / rsync)}x`,
    goal === undefined ? '' : `≤ ${goal}${rsync === undefined ? ` ${unit}` : 'x'}`,
  ])
  const header = ['scenario', 'what', 'tidemark', 'rsync', 'ratio', 'goal']
  const widths = header.map((title, i) => Math.max(title.length, ...rows.map((row) => row[i]!.length)))
  return [header, ...rows]
    .map((row) =>
      row
        .map((cell, i) => cell.padEnd(widths[i]!))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

function round(value: number): string {
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2)
}
