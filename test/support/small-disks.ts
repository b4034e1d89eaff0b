import { execFileSync, spawnSync } from 'node:child_process'
import { closeSync, mkdirSync, openSync, writeSync } from 'node:fs'

/** File systems in memory of a bounded size, for tests of full disks; `close` unmounts all of them. */
export class SmallDisks {
  readonly #mounted: string[] = []

  /** @returns whether it could be mounted; if not, the reason is printed. The directory is made. */
  mount(path: string, mib: number): boolean {
    mkdirSync(path, { recursive: true })
    const { status } = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${mib}m`, 'tmpfs', path])
    if (status === 0) this.#mounted.push(path)
    else process.stdout.write('not checked: a full disk (this user may not mount)\n')
    return status === 0
  }

  grow(path: string, mib: number): void {
    execFileSync('mount', ['-o', `remount,size=${mib}m`, path])
  }

  close(): void {
    for (const path of this.#mounted.splice(0)) spawnSync('umount', ['-l', path])
  }
}

/** Takes every byte that is left on the file system of `path`. */
export function fillDisk(path: string): void {
  const file = openSync(path, 'w')
  for (let size = 64 * 1024; size >= 1; ) {
    try {
      writeSync(file, new Uint8Array(size))
    } catch {
      size >>= 1
    }
  }
  closeSync(file)
}
