export { SimulationError, type SimulationOptions, simulate } from './simulate.js'
