export { type DiskTree, textsBelow, userTree } from './disk-tree.js'
export { type CutRandom, SimulatedDisk, type SimulatedDiskOptions } from './simulated-disk.js'
