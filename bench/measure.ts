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
  /** What this machine does at most, of a rate. */
  readonly limit?: number
  /** The goal for the ratio of `value` to `limit`: at least that. */
  readonly least?: number
}

export const isMissed = ({ value, rsync, goal, limit = 1, least }: Figure): boolean =>
  (goal !== undefined && !(value / (rsync ?? 1) <= goal)) ||
  (least !== undefined && !(value / limit >= least))

export function formatTable(figures: readonly Figure[]): string {
  const rows = figures.map((figure) => {
    const { scenario, what, value, unit, rsync, limit } = figure
    const other = rsync ?? limit
    return [
      scenario,
      what,
      `${round(value)} ${unit}`,
      other === undefined ? '' : `${round(other)} ${unit}`,
      other === undefined ? '' : `${round(value / other)}x`,
      goalOf(figure),
    ]
  })
  const header = ['scenario', 'what', 'tidemark', 'rsync, or limit', 'ratio', 'goal']
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

function goalOf({ unit, rsync, goal, limit, least }: Figure): string {
  if (goal !== undefined) return `≤ ${goal}${rsync === undefined ? ` ${unit}` : 'x'}`
  return least === undefined ? '' : `≥ ${least}${limit === undefined ? ` ${unit}` : 'x'}`
}

function round(value: number): string {
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2)
}
