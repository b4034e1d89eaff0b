import type { FileSystem } from '../ports/file-system.js'

const MIB = 1024 * 1024
/** Nothing is staged that would leave less than this: other programs need some, and so does our database. */
export const ROOM_RESERVE_BYTES = 64 * MIB

export const mib = (bytes: number): string => `${Math.ceil(bytes / MIB)} MiB`

/** How much may still be written, asked of the volume once and counted down. */
export class Room {
  #left: number

  constructor(files: FileSystem, directory: string) {
    this.#left = files.room(directory).freeBytes - ROOM_RESERVE_BYTES
  }

  /** @returns whether there was room; then it is taken. */
  take(bytes: number): boolean {
    if (bytes > this.#left) return false
    this.#left -= bytes
    return true
  }
}
