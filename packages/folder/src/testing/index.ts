export { type DiskTree, textsBelow, userTree } from './disk-tree.js'
export { type CutRandom, type SeenThing, SimulatedDisk, type SimulatedDiskOptions } from './simulated-disk.js'
