import { type SimulationOptions, simulate } from './simulate.js'
import { SimulationError } from './simulation-error.js'

/** What a range of seeds makes of a mistake. */
export interface PlantedFindings {
  readonly runs: number
  /** Seeds that noticed it, by the rule that was broken. */
  readonly caught: ReadonlyMap<number, string>
  /** Seeds from each first seed of the range until one notices it: the middle one; none: it was never noticed. */
  readonly medianSeeds: number | undefined
}

/** Runs each seed with the mistake; every run counts for itself. */
export async function searchPlanted(
  options: Omit<SimulationOptions, 'seed'>,
  seeds: readonly number[],
): Promise<PlantedFindings> {
  const caught = new Map<number, string>()
  for (const seed of seeds) {
    try {
      await simulate({ ...options, seed })
    } catch (error) {
      if (!(error instanceof SimulationError)) throw error
      caught.set(seed, error.rule)
    }
  }
  return { runs: seeds.length, caught, medianSeeds: medianUntilCaught(seeds, caught) }
}

/** Of all first seeds from which the range still has one that notices it. */
export function medianUntilCaught(
  seeds: readonly number[],
  caught: ReadonlyMap<number, unknown>,
): number | undefined {
  const counts: number[] = []
  let count: number | undefined
  for (const seed of [...seeds].reverse()) {
    if (caught.has(seed)) count = 0
    if (count !== undefined) counts.push(++count)
  }
  return counts.sort((a, b) => a - b)[Math.floor((counts.length - 1) / 2)]
}
