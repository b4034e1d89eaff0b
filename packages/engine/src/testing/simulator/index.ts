export type { PlantedBug } from './planted-bugs.js'
export { type PlantedFindings, searchSeeds, tellFindings } from './search-seeds.js'
export { type Profile, runSimulation, type SimulationOptions, type SimulationResult } from './simulation.js'
export { InvariantViolation } from './violation.js'
