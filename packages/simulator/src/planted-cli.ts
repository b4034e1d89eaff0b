import type { PlantedBug } from './planted-bug.js'
import { PLANTED_BUGS } from './planted-bugs.js'
import { searchPlanted } from './planted-search.js'

/** @param name One of the planted mistakes, or `all`. @throws {TypeError} nobody knows it. */
export function plantedByName(name: string): readonly PlantedBug[] {
  const chosen = PLANTED_BUGS.filter((planted) => name === 'all' || planted.name === name)
  if (chosen.length > 0) return chosen
  throw new TypeError(`--planted: all, or one of\n${PLANTED_BUGS.map((each) => `  ${each.name}`).join('\n')}`)
}

/** For each mistake: what it is, how many of these seeds notice it, by what, and after how many seeds. */
export async function printFindings(
  bugs: readonly PlantedBug[],
  seeds: readonly number[],
  steps: number,
): Promise<void> {
  for (const planted of bugs) {
    const { caught, runs, medianSeeds } = await searchPlanted({ steps, planted }, seeds)
    const rules = new Map<string, number>()
    for (const rule of caught.values()) rules.set(rule, (rules.get(rule) ?? 0) + 1)
    const by = [...rules].map(([rule, count]) => `${rule} ${count}`).join(', ')
    const [first] = caught.keys()
    const found =
      caught.size === 0
        ? 'noticed by none'
        : `noticed by ${caught.size} (${by}); first seed ${first}, median of seeds until then ${medianSeeds}`
    console.log(`${planted.name}: ${planted.about}\n  ${runs} seeds of ${steps} steps: ${found}`)
  }
}
