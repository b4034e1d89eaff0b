export type { AdapterOptions } from './adapters.js'
export type { PlantedBug } from './planted-bug.js'
export { PLANTED_BUGS } from './planted-bugs.js'
export {
  type Act,
  type DeviceKind,
  formatScript,
  parseScript,
  type Script,
  ScriptError,
} from './script.js'
export { type ShrinkOptions, type Shrunk, shrink } from './shrink.js'
export {
  type RunOptions,
  replay,
  type SimulationOptions,
  type SimulationResult,
  simulate,
} from './simulate.js'
export { type Rule, SimulationError } from './simulation-error.js'
