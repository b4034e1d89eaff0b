import type { PlantedBug } from './planted-bug.js'
import { DISK_BUGS } from './planted-disk-bugs.js'
import { SPACE_BUGS } from './planted-space-bugs.js'

/** Mistakes at the level of devices: each must be noticed; see docs/correctness.md. */
export const PLANTED_BUGS: readonly PlantedBug[] = [...DISK_BUGS, ...SPACE_BUGS]
