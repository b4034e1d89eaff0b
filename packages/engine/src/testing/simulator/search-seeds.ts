/** What a range of seeds makes of a mistake. */
export interface PlantedFindings {
  readonly runs: number
  /** Seeds that noticed it, with the rule that was broken. */
  readonly caught: ReadonlyMap<number, string>
  /** Seeds from each first seed of the range until one notices it: the middle one; none: it was never noticed. */
  readonly medianSeeds: number | undefined
}

/** Runs each seed; every run counts for itself. @param run Resolves to the rule that was broken, if one was. */
export async function searchSeeds(
  seeds: readonly number[],
  run: (seed: number) => Promise<string | undefined>,
): Promise<PlantedFindings> {
  const caught = new Map<number, string>()
  for (const seed of seeds) {
    const rule = await run(seed)
    if (rule !== undefined) caught.set(seed, rule)
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

/** One line for people. */
export function tellFindings(name: string, { caught, runs, medianSeeds }: PlantedFindings): string {
  if (caught.size === 0) return `${name}: noticed by none of ${runs} seeds`
  const rules = new Map<string, number>()
  for (const rule of caught.values()) rules.set(rule, (rules.get(rule) ?? 0) + 1)
  const by = [...rules].map(([rule, count]) => `${rule} ${count}`).join(', ')
  const [first] = caught.keys()
  return `${name}: noticed by ${caught.size} of ${runs} seeds (${by}); first ${first}, median until noticed ${medianSeeds}`
}
