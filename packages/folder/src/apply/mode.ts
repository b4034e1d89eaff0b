/** Before the process's umask. */
export const FILE_MODE = 0o644
export const EXECUTABLE_MODE = 0o755

/**
 * Permission bits of a file that keeps its own, but for the executable bit: who may read may execute.
 *
 * @param mode Bits that it has.
 */
export const modeFor = (mode: number, executable: boolean): number =>
  executable ? (mode & 0o7777) | ((mode & 0o444) >> 2) : mode & 0o7666
