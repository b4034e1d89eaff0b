export { referenceView } from '../core/view/reference.js'
export { type KeyValueStoreFixture, runKeyValueStoreConformance } from './key-value-store-conformance.js'
export {
  InvariantViolation,
  type PlantedBug,
  type PlantedFindings,
  type Profile,
  runSimulation,
  type SimulationOptions,
  type SimulationResult,
  searchSeeds,
  tellFindings,
} from './simulator/index.js'
