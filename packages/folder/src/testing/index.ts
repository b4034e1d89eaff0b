export { type CutRandom, SimulatedDisk, type SimulatedDiskOptions } from './simulated-disk.js'
