import { searchSeeds, tellFindings } from '@tidemark/engine/testing'
import type { PlantedBug } from './planted-bug.js'
import { PLANTED_BUGS } from './planted-bugs.js'
import { simulate } from './simulate.js'
import { SimulationError } from './simulation-error.js'

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
    const found = await searchSeeds(seeds, (seed) => ruleBrokenBy(planted, seed, steps))
    console.log(`${tellFindings(planted.name, found)}\n  ${planted.about}`)
  }
}

async function ruleBrokenBy(planted: PlantedBug, seed: number, steps: number): Promise<string | undefined> {
  try {
    await simulate({ seed, steps, planted })
    return undefined
  } catch (error) {
    if (!(error instanceof SimulationError)) throw error
    return error.rule
  }
}
