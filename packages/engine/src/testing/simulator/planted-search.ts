import type { PlantedBug } from './planted-bugs.js'
import { type Profile, runSimulation } from './simulation.js'
import type { InvariantViolation } from './violation.js'

/** The profile that meets what each mistake is about. */
export const PLANTED_PROFILES: Readonly<Record<PlantedBug, Profile>> = {
  'context-from-latest-state': 'view',
  'frontier-before-sync-point': 'exchange',
  'cursor-kept-over-rollback': 'exchange',
  'dots-used-twice': 'exchange',
  'echo-by-node': 'exchange',
  'answers-every-sync-point': 'exchange',
  'cursor-before-entries': 'exchange',
  'collects-alone': 'collect',
  'collects-by-age': 'collect',
  'tombstones-dropped': 'exchange',
  'refusal-as-acknowledgement': 'refuse',
  'takes-back-in-part': 'refuse',
}

/** @returns the rule that a run of this seed with this mistake breaks. */
export async function ruleBrokenBy(
  bug: PlantedBug,
  seed: number,
  steps: number,
): Promise<string | undefined> {
  try {
    await runSimulation({ profile: PLANTED_PROFILES[bug], seed, steps, bug })
    return undefined
  } catch (error) {
    return ruleOf(error)
  }
}

/** What a broken run is told by: the number of the rule, or the name of what was thrown. */
export const ruleOf = (error: unknown): string =>
  (error as Partial<InvariantViolation>).rule ?? (error as Error).name
